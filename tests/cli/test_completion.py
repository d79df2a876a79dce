"""`jobs completion`: a script for each shell, with all commands, options and names."""

import io
import shutil
import subprocess

import pytest
from django.core.management import call_command

from netbox_jobs.cli import completion

pytestmark = [pytest.mark.django_db, pytest.mark.process, pytest.mark.once]


def script(shell):
    out = io.StringIO()
    call_command('jobs', 'completion', shell, stdout=out)
    return out.getvalue()


def completed(line):
    """What bash offers at the end of a line."""
    words = line.split(' ')
    quoted = ' '.join(f"'{word}'" for word in words)
    code = (
        f'{script("bash")}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _netbox_jobs; echo "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(['bash', '-c', code], capture_output=True, text=True, timeout=60, check=True)
    assert not done.stderr
    return done.stdout.split()


def test_bash_completes_commands_options_and_values():
    assert completed('python manage.py jobs lis') == ['list']
    assert {'list', 'stack', 'completion', 'schedules'} <= set(completed('python manage.py jobs '))
    assert completed('./manage.py jobs list --sear') == ['--search']
    assert completed('manage.py jobs list --status err') == ['errored']
    assert {'high', 'default', 'low'} <= set(completed('manage.py jobs list --queue '))
    assert 'default' in completed('manage.py jobs pause ')
    assert completed('manage.py jobs schedules ru') == ['run-now']
    assert completed('manage.py jobs list --limit 5 --js') == ['--json']
    assert 'example_plugin.jobs.SyncSourceJob' in completed('manage.py jobs run example_plugin.jobs')
    assert completed('manage.py jobs completion ') == list(completion.SHELLS)


def test_bash_leaves_other_commands_alone():
    assert completed('python manage.py migr') == []
    assert completed('python jobs ') == []


@pytest.mark.parametrize('shell', completion.SHELLS)
def test_each_shell_gets_all_commands(shell):
    text = script(shell)
    for word in ('list', 'drain', 'run-now', 'search', 'errored'):
        assert word in text
    if found := shutil.which(shell):
        done = subprocess.run([found, '-n', '/dev/stdin'], input=text, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

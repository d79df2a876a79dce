"""The documentation and the help name every command and exit code."""

import re

import pytest

from netbox_jobs.cli import exits
from netbox_jobs.management.commands.jobs import Command
from tests.cli.helpers import PAGE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


# What is written about it


def commands_of(parser):
    (choices,) = [action.choices for action in parser._actions if hasattr(action, 'add_parser')]
    return choices


def test_the_readme_and_the_help_know_every_command_and_exit_code():
    parser = Command().create_parser('manage.py', 'jobs')
    commands = commands_of(parser)
    documented = re.findall(r'^\| `jobs (\w+)', PAGE, re.MULTILINE) + re.findall(r', `jobs (\w+)', PAGE)
    assert set(documented) == set(commands)
    told = ' '.join(re.findall(r'^\| `jobs schedules .*$', PAGE, re.MULTILINE))
    assert all(action in told for action in commands_of(commands['schedules']))
    for code in (exits.SUCCESS, exits.FAILURE, exits.USAGE_ERROR, exits.INTERRUPTED):
        assert re.search(rf'^\| {code} \| ', PAGE, re.MULTILINE)
        assert re.search(rf'^  {code} ', parser.format_help(), re.MULTILINE)
        assert re.search(rf'^  {code} ', commands['run'].format_help(), re.MULTILINE)
    taking_json = {name for name, each in commands.items() if '--json' in each._option_string_actions}
    taking_json -= {name for name, each in commands.items() if each.get_default('results')}
    (sentence,) = re.findall(r'^(`list`.*?) take `--json`', PAGE, re.MULTILINE | re.DOTALL)
    assert taking_json == set(re.findall(r'`(\w+)`', sentence))
    asking = {name for name, each in commands.items() if '--yes' in each._option_string_actions}
    assert asking == set(re.findall(r'^\| `jobs (\w+)[^|]*\| .*\(prompts\)', PAGE, re.MULTILINE)) - {'schedules'}


def test_the_help_explains_every_argument_and_shows_no_format_codes():
    def parsers(parser):
        yield parser
        for action in parser._actions:
            if hasattr(action, 'add_parser'):
                for each in action.choices.values():
                    yield from parsers(each)

    for parser in parsers(Command().create_parser('manage.py', 'jobs')):
        assert '%%' not in parser.format_help(), parser.prog
        # What has choices is explained by them.
        silent = [each.dest for each in parser._actions if not (each.help or each.choices or each.metavar == 'ACTION')]
        assert silent == [], parser.prog


def test_the_options_of_django_stand_before_and_after_a_command(jobs, monkeypatch):
    monkeypatch.setenv('COLUMNS', '80')
    assert '\x1b[' in jobs('list', '--force-color').out
    assert jobs('list', '--no-color').code == jobs('top', '--no-color').code == 0
    assert jobs('schedules', '--skip-checks', '-v', '2').code == 0
    given = Command().create_parser('manage.py', 'jobs').parse_args(['doctor', '--settings', 'shop.settings'])
    assert given.settings == 'shop.settings'
    given = Command().create_parser('manage.py', 'jobs').parse_args(['--settings', 'shop.settings', 'doctor'])
    assert given.settings == 'shop.settings'

"""Colours and tables on a terminal, and plain text elsewhere."""

import re
import sys
from argparse import ArgumentParser
from datetime import timedelta

import pytest
from django.utils import timezone

from netbox_jobs.cli import parser, tables
from netbox_jobs.core import formatting
from netbox_jobs.models import Job, Schedule, Worker
from netbox_jobs.monitoring import errors
from tests.app.jobs import Plain
from tests.app.models import Thing

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


# Terminals


def test_a_terminal_gets_colours_and_tables_that_fit(jobs, monkeypatch):
    monkeypatch.setenv('COLUMNS', '80')
    for number in range(3):
        Plain.enqueue(name=f'A rather long name of a job {number} ' * 3, instance=Thing.objects.create())
    Plain.enqueue_once(interval=60)
    Worker.objects.create(token='b', name='b', host='a-long-name-of-a-host', pid=2, queues=','.join(['default'] * 9))
    for command in ('list', 'queues', 'workers', 'schedules'):
        said = jobs('--force-color', command)
        assert '\x1b[1m' in said.out
        plain = re.sub(r'\x1b\[[\d;]*m', '', said.out)
        assert max(map(len, plain.splitlines())) <= 80, plain
    listed = re.sub(r'\x1b\[[\d;]*m', '', jobs('--force-color', 'list').out)
    # What tells a row from others is whole; long names give way.
    assert listed.count('Pending') == listed.count('default') == len(re.findall(r'\d\d:\d\d:\d\d', listed)) == 4
    assert listed.count('A rather long') == listed.count('…') == 3
    job = Job.objects.first()
    assert '\x1b[' in jobs('--force-color', 'show', job.pk).out


@pytest.mark.parametrize(
    ('width', 'titles'),
    [
        (100, 'queue waiting oldest scheduled running failed workers state'),
        (80, 'queue waiting oldest running failed workers state'),
        (60, 'queue waiting oldest failed state'),
    ],
)
def test_a_narrow_terminal_omits_what_it_can_spare_and_cuts_no_number(jobs, monkeypatch, width, titles):
    monkeypatch.setenv('COLUMNS', str(width))
    for number in range(12):
        Job.objects.create(name='x', status='pending', queue_name=f'a rather long name of a queue {number % 2}', due=1)
    said = re.sub(r'\x1b\[[\d;]*m', '', jobs('--force-color', 'queues').out).splitlines()
    assert said[0].split() == titles.split()
    assert max(map(len, said)) <= width
    assert not any(line.count('…') > 1 or re.search(r'\d…', line) for line in said)


def test_a_terminal_shows_a_bar_while_it_waits(jobs, worker_between_looks, monkeypatch):
    monkeypatch.setenv('COLUMNS', '80')
    said = jobs('--force-color', 'run', 'Talking', '--wait')
    assert said.code == 0
    assert 'Talking pending' in said.out
    assert 'line 4 of 4' in said.out


def test_without_rich_a_terminal_gets_plain_text_and_nothing_is_said(jobs, monkeypatch):
    Plain.enqueue()
    plain = jobs('list')
    monkeypatch.delitem(sys.modules, 'netbox_jobs.cli.rich_screen', raising=False)
    for name in [name for name in sys.modules if name.split('.')[0] == 'rich']:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'rich', None)
    assert jobs('--force-color', 'list') == plain


# Scripts


def test_every_command_that_acts_writes_its_results_as_json(jobs):
    """All commands but those that write a script, or open a screen, take `--json`."""
    waiting, other = Plain.enqueue(), Plain.enqueue()
    Plain.enqueue_once(interval=60)
    schedule = Schedule.objects.get()
    Worker.objects.create(token='b', name='web-1', host='h', pid=2, queues='default')
    for arguments, key, code in (
        (('cancel', waiting.pk, '--yes'), waiting.pk, 0),
        (('cancel', waiting.pk, '--yes'), waiting.pk, 1),
        (('stop', other.pk, '--yes'), other.pk, 0),
        (('pause', 'low'), 'low', 0),
        (('drain', 'low'), 'low', 0),
        (('resume', 'low'), 'low', 0),
        (('limit', 'low', '3'), 'low', 0),
        (('workers', 'leave', 'web-1'), 'web-1', 0),
        (('schedules', 'pause', schedule.pk), schedule.pk, 0),
        (('schedules', 'resume', schedule.pk), schedule.pk, 0),
        (('schedules', 'change', schedule.pk, '--interval', 30), schedule.pk, 0),
        (('schedules', 'run-now', schedule.pk), schedule.pk, 0),
        (('schedules', 'end', schedule.pk, '--yes'), schedule.pk, 0),
        (('prune', '--yes'), None, 0),
        (('repair', '--dry-run'), None, 0),
    ):
        said = jobs(*arguments, '--json')
        assert said.code == code, said
        first = said.json[0]
        assert (first['id'], first['done']) == (key, code == 0), arguments
        assert first['text'] and first.keys() <= {'id', 'done', 'text', 'count'}


def test_every_command_takes_json():
    whole = ArgumentParser()
    parser.build(whole)
    commands = whole._subparsers._group_actions[0].choices
    without = {name for name, each in commands.items() if '--json' not in each._option_string_actions}
    assert without == {'completion'}


def test_a_terminal_says_which_times_are_to_come_and_which_errors_are_new_first():
    """What comes last is cut where a line is too long."""
    later = Plain.enqueue(schedule_at=timezone.now() + timedelta(days=2))
    due = tables.jobs([later], {}, {}).rows[0]
    assert any(cell.brief == f'due {formatting.moment(later.scheduled)}' for cell in due)
    Job.objects.filter(pk=later.pk).update(
        status='errored', error='no ' * 50, completed=timezone.now(), fingerprint='f'
    )
    [row] = tables.error_groups(errors.groups(timedelta(hours=1))).rows
    assert row[1].brief.startswith('(new) no no') and row[1].text.endswith(' (new)')

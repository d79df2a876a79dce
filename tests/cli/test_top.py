"""`manage.py jobs top`: what the screen shows, and what its keys do."""

import io
import json

import pytest
from django.core.management import call_command

from netbox_jobs.cli.top import ERRORS, QUEUES, RUNNING, Top
from netbox_jobs.models import Job, PausedQueue
from tests.app.jobs import Erring, Plain, Sleeping
from tests.app.models import Thing
from tests.cli.test_terminal import begin, terminal
from tests.processes import status, wait_for

__all__ = ('begin', 'terminal')  # fixtures

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


def shown(*arguments):
    out = io.StringIO()
    call_command('jobs', 'top', *arguments, stdout=out, stderr=out)
    return out.getvalue()


def running(**kwargs):
    job = Plain.enqueue(**kwargs)
    Job.objects.filter(pk=job.pk).update(status='running', started=job.created)
    return job


def press(top, *keys):
    for key in keys:
        assert top.press(key)


def test_without_a_terminal_it_shows_everything_once():
    job, _wrong = running(instance=Thing.objects.create(name='Warehouse')), Erring.enqueue(immediate=True)
    text = shown()
    assert text.index('Queues:') < text.index('Running jobs:') < text.index('Errors of the last hour:')
    assert str(job.pk) in text and job.name in text and 'RuntimeError: unexpected' in text


def test_scripts_get_one_document():
    job = running()
    document = json.loads(shown('--json'))
    assert [each['id'] for each in document['running']] == [job.pk]
    assert {queue['name'] for queue in document['queues']} >= {'high', 'default', 'low'}
    assert document['errors'] == []


def test_a_queue_is_paused_and_resumed_by_its_key():
    top = Top()
    press(top, 'tab', 'tab')
    assert top.part == QUEUES
    name = top.selected.name
    press(top, 'p')
    assert PausedQueue.objects.filter(name=name).exists() and top.said == f'The queue {name} is paused.'
    press(top, 'p')
    assert not PausedQueue.objects.exists()


def test_a_running_job_is_stopped_after_a_yes_only():
    jobs = [running(), running()]
    top = Top()
    assert top.part == RUNNING
    press(top, 'down', 'down', 's')
    assert f'Stop job {jobs[1].pk}' in top.asked
    press(top, 'n')
    assert top.said == 'Nothing was done.' and not Job.objects.exclude(stopping=None).exists()
    press(top, 's', 'y')
    assert list(Job.objects.exclude(stopping=None)) == [jobs[1]]


def test_all_jobs_of_an_error_are_retried_after_a_yes(work):
    for _ in range(2):
        Erring.enqueue(immediate=True)
    top = Top()
    press(top, 'tab')
    assert top.part == ERRORS
    press(top, 'r')
    assert 'Retry all 2 jobs' in top.asked
    press(top, 'y')
    work()
    assert Job.objects.exclude(retry_of=None).count() == 2


def test_keys_of_an_empty_part_do_nothing_and_q_quits():
    top = Top()
    press(top, 's', 'up', 'down', 'x')
    assert top.asked == top.said == ''
    assert top.press('q') is False


@pytest.mark.process
def test_on_a_terminal_the_picture_follows_the_job_and_its_keys_work(start_worker, begin, terminal, tmp_path):
    start_worker('default')
    process = begin('top', '--every', '0.2', output=terminal.path, on_terminal=True)
    wait_for(lambda: terminal.shows('Running jobs'))
    job = Sleeping.enqueue(name='Sleeping \x1b]0;bad\x07', until=str(tmp_path / 'never'))
    wait_for(lambda: status(job) == 'running')
    wait_for(lambda: terminal.shows('Sleeping'), what=terminal)
    terminal.type('s')
    wait_for(lambda: terminal.shows(f'Stop job {job.pk} "Sleeping"?'), what=terminal)
    terminal.type('y')
    wait_for(lambda: terminal.shows('is being stopped') and status(job) == 'canceled', what=terminal)
    assert '\x1b]0;bad' not in terminal.text
    terminal.type('q')
    assert process.wait(60) == 0

"""`manage.py jobs show` and `log`."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from netbox_jobs.cli import follow
from netbox_jobs.core import formatting
from netbox_jobs.models import Job, JobAttempt, JobLogEntry, PausedQueue, Worker
from tests.app.jobs import Plain, Talking
from tests.app.models import Thing
from tests.cli.helpers import FailingOnce, work_twice

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


# show, log


def test_show_tells_all_about_a_job(jobs, work):
    thing = Thing.objects.create(name='the thing')
    job = FailingOnce.enqueue(instance=thing, user=User.objects.create(username='ada'))
    work_twice(work)
    said = jobs('show', job.job_id)
    assert said.code == 0
    for line in (
        f'Job {job.pk}: Failing once',
        'status: Completed',
        'attempt: 2',
        'runner: tests.cli.helpers.FailingOnce',
        f'instance: testapp.thing:{thing.pk} (the thing)',
        'queue: default',
        'user: ada',
        f'job_id: {job.job_id}',
        'Earlier attempts:',
        'Log:',
    ):
        assert line in said.out.splitlines()
    talking = Talking.enqueue(lines=12, immediate=True)
    shown = jobs('show', talking.pk).out
    assert f'Log, last 10 lines (all lines: jobs log {talking.pk}):' in shown
    assert 'line 3 of 12' in shown and 'line 2 of 12' not in shown
    assert 'arguments: lines=12' in shown


@pytest.mark.parametrize('command', ['show', 'log', 'retry', 'cancel', 'stop'])
@pytest.mark.parametrize(
    ('text', 'says'),
    [
        ('12345', 'There is no job 12345.'),
        ('9' * 30, 'There is no job 9'),
        ('0c5d8f6e-2f0e-4d0e-9d53-0d4b0d0c6a11', 'There is no job '),
        ('x', '\'x\' is not the ID of a job; expected a number as "jobs list" shows it, or a job_id (a UUID).'),
        ('²', "'²' is not the ID of a job"),
    ],
)
def test_an_unknown_id_is_one_sentence(jobs, command, text, says):
    said = jobs(command, text)
    assert (said.code, said.out) == (2, '')
    assert said.err.startswith(says)
    assert '\n' not in said.err


def test_show_says_why_a_job_waits(jobs):
    def why(job):
        return re.search(r'^status: (.*)$', jobs('show', job.pk).out, re.MULTILINE)[1]

    job = Plain.enqueue()
    assert why(job) == 'Pending: no worker serves the queue default'
    Worker.objects.create(token='t', name='w', host='h', pid=1, queues='high,default')
    assert why(job) == 'Pending: waits in line in the queue default'
    PausedQueue.pause('default')
    assert why(job) == 'Pending: the queue default is paused'
    assert why(Plain.enqueue(depends_on=job)) == f'Pending: waits for job {job.pk}'
    later = Plain.enqueue_once(schedule_at=timezone.now() + timedelta(hours=2, minutes=1), interval=60)
    assert why(later) == f'Scheduled: due at {formatting.moment(later.scheduled)}'
    later.schedule.pause()
    assert why(later) == f'Scheduled: schedule {later.schedule_id} is paused'


def test_log_shows_the_lines_from_a_level_on_and_tells_attempts_apart(jobs, work):
    job = FailingOnce.enqueue()
    work_twice(work)
    JobLogEntry.objects.create(job=job, attempt=2, level='audit', message='a level of its own')
    JobLogEntry.objects.create(job=job, attempt=2, level='debug', message='fine print')
    said = jobs('log', job.pk)
    assert re.search(r'^[\d-]+ [\d:.]+ INFO     attempt 1$', said.out, re.MULTILINE)
    assert re.search(r'^Attempt 2\n[\d-]+ [\d:.]+ INFO     attempt 2$', said.out, re.MULTILINE)
    assert 'fine print' in said.out
    said = jobs('log', job.pk, '--level', 'warning')
    assert 'attempt 1' not in said.out and 'fine print' not in said.out
    assert 'WARNING' in said.out and 'a level of its own' in said.out
    quiet = Plain.enqueue(immediate=True)
    assert jobs('log', quiet.pk).err == f'Job {quiet.pk} (Plain) has no log lines.\n'


def test_log_follow_ends_with_the_job(jobs, worker_between_looks):
    job = Talking.enqueue(lines=3)
    said = jobs('log', job.pk, '--follow')
    assert said.code == 0
    assert [line.split(maxsplit=3)[3] for line in said.out.splitlines()] == [f'line {n} of 3' for n in (1, 2, 3)]
    assert f'Job {job.pk} (Talking) is pending' in said.err


def test_log_follow_says_when_the_job_is_deleted(jobs, monkeypatch):
    job = Talking.enqueue()
    monkeypatch.setattr(follow.time, 'sleep', lambda seconds: Job.objects.get(pk=job.pk).delete())
    said = jobs('log', job.pk, '--follow')
    assert said.code == 1
    assert said.err.endswith(f'Job {job.pk} (Talking) has been deleted.')


def test_piped_output_has_no_control_characters_whatever_the_job_says(jobs):
    job = Plain.enqueue(name='\x1b]0;owned\x07 name', immediate=True)
    JobLogEntry.objects.create(job=job, level='info', message='\x1b[2Jgone\rback\x9b1m')
    JobAttempt.objects.create(job=job, number=1, error='\x1b[31mred')
    Job.objects.filter(pk=job.pk).update(error='\x1b[31mred')
    for command in (('list',), ('show', job.pk), ('log', job.pk), ('cancel', '--yes', job.pk), ('queues',)):
        said = jobs(*command)
        assert not re.search(r'[\x00-\x09\x0b-\x1f\x7f-\x9f]', said.out + said.err), command
    assert 'gone\nback\ufffd1m' in jobs('log', job.pk).out

"""`manage.py jobs`: every command, its exit code, its JSON, its plain text, and what it says when the call is wrong."""

import io
import json
import re
import socket
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db.models import F
from django.utils import timezone

from netbox_jobs.cli import exits, follow, health
from netbox_jobs.core import formatting
from netbox_jobs.exceptions import JobFailed, UnknownQueue
from netbox_jobs.jobs import JobRunner
from netbox_jobs.maintenance import recovery
from netbox_jobs.management.commands.jobs import Command
from netbox_jobs.models import Job, JobAttempt, JobLogEntry, JobStep, PausedQueue, Progress, Schedule, Worker
from tests.app.jobs import Erring, Failing, Plain, Talking, plain_function
from tests.app.models import TextThing, Thing, UUIDThing
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = (Path(__file__).parent.parent.parent / 'docs' / 'how-to' / 'command-line.md').read_text()


class TwinOne(JobRunner):
    class Meta:
        name = 'Twin'

    def run(self):
        pass


class TwinTwo(JobRunner):
    class Meta:
        name = 'Twin'

    def run(self):
        pass


class FailingOnce(JobRunner):
    class Meta:
        name = 'Failing once'
        max_retries = 1
        retry_backoff = 0
        retry_on = JobFailed

    def run(self):
        self.logger.info('attempt %s', self.job.attempt)
        if self.job.attempt == 1:
            raise JobFailed('\x1b[31mnot\x1b[0m yet')


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def rows(self):
        return [re.split(r'  +', line.strip()) for line in self.out.splitlines()[1:]]


class Answers(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def jobs(monkeypatch):
    """Call the command line; `answer` makes standard input a terminal where that is typed."""

    def _jobs(*arguments, answer=None):
        monkeypatch.setattr(sys, 'stdin', io.StringIO() if answer is None else Answers(answer))
        out, err, code = io.StringIO(), io.StringIO(), 0
        try:
            call_command('jobs', *map(str, arguments), stdout=out, stderr=err)
        except CommandError as error:
            code = error.returncode
            err.write(str(error))
        except SystemExit as error:
            code = error.code
        return Said(code, out.getvalue(), err.getvalue())

    return _jobs


@pytest.fixture
def worker_between_looks(monkeypatch, work):
    """Whoever watches a job waits for a worker that works meanwhile."""

    def sleep(seconds):
        recovery.deliver_due()
        work()

    monkeypatch.setattr(follow.time, 'sleep', sleep)


def work_twice(work):
    """What is run again at once is run again."""
    work()
    recovery.deliver_due()
    work()


def documented_keys(of):
    (row,) = re.findall(rf'^\| {of} \| (.*) \|$', PAGE, re.MULTILINE)
    return re.findall(r'`(\w+)`', re.sub(r'\(`.*?\)', '', row)), [
        re.findall(r'`(\w+)`', group) for group in re.findall(r'\((`.*?)\)', row)
    ]


# list


def test_list_shows_the_newest_first_in_columns_two_spaces_apart(jobs):
    first, second = Plain.enqueue(name='A  name\nof two lines'), Talking.enqueue(instance=Thing.objects.create(pk=7))
    said = jobs('list')
    assert said.code == 0
    titles = said.out.splitlines()[0].split()
    assert titles == ['ID', 'STATUS', 'NAME', 'INSTANCE', 'QUEUE', 'USER', 'WHEN', 'TOOK', 'PROGRESS', 'JOB_ID']
    assert [row[:4] for row in said.rows] == [
        [str(second.pk), 'Pending', 'Talking', 'testapp.thing:7'],
        [str(first.pk), 'Pending', 'A name of two lines', '-'],
    ]


def test_list_chooses(jobs):
    user = User.objects.create(username='ada')
    thing, uuid_thing, text_thing = (
        Thing.objects.create(),
        UUIDThing.objects.create(),
        TextThing.objects.create(code='a:b'),
    )
    plain = Plain.enqueue(user=user, instance=thing)
    low = Talking.enqueue(queue_name='low', instance=uuid_thing)
    old = Plain.enqueue(instance=text_thing)
    Job.objects.filter(pk=old.pk).update(created=timezone.now() - timedelta(hours=3))
    canceled = Plain.enqueue()
    canceled.cancel()

    def chosen(*arguments):
        return {row['id'] for row in jobs('list', '--json', *arguments).json}

    assert chosen() == {plain.pk, low.pk, old.pk, canceled.pk}
    assert chosen('--status', 'canceled') == chosen('--status', 'Canceled') == {canceled.pk}
    assert chosen('--status', 'canceled', '--status', 'pending', '--limit', '2') == {canceled.pk, low.pk}
    assert chosen('--runner', 'tests.app.jobs.Talking') == chosen('--runner', 'Talking') == {low.pk}
    assert chosen('--queue', 'low') == {low.pk}
    assert chosen('--user', 'ada') == {plain.pk}
    assert chosen('--instance', f'testapp.thing:{thing.pk}') == {plain.pk}
    assert chosen('--instance', f'testapp.UUIDThing:{uuid_thing.pk.hex}') == {low.pk}
    assert chosen('--instance', 'testapp.textthing:a:b') == {old.pk}
    assert chosen('--since', '2h') == {plain.pk, low.pk, canceled.pk}
    assert chosen('--since', '2020-01-31') == chosen('--since', '2020-01-31 12:00') == chosen()
    assert chosen('--since', '2100-01-01T00:00+01:00') == set()


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        (('--runner', 'Plian'), "There is no runner 'Plian'; did you mean 'Plain'?"),
        (('--queue', 'nope'), "There is no queue 'nope'; the queues are"),
        (('--user', 'nobody'), "There is no user 'nobody'."),
        (('--instance', 'thing'), "'thing' is not an object; expected app.model:pk"),
        (('--instance', 'testapp.nothing:1'), "There is no model 'testapp.nothing'"),
        (('--instance', 'testapp.thing:x'), "'x' is not a primary key of testapp.thing"),
        (('--instance', 'testapp.uuidthing:x'), "'x' is not a primary key of testapp.uuidthing"),
        (('--since', 'yesterday'), "'yesterday' is not a time; expected 30m, 2h, 7d"),
        (('--since', '2026-02-31'), "'2026-02-31' is not a time"),
        (('--since', '999999999999d'), "'999999999999d' is not a time"),
    ],
)
def test_list_says_what_it_cannot_find(jobs, arguments, says):
    said = jobs('list', *arguments)
    assert (said.code, said.out) == (2, '')
    assert says in said.err
    assert '\n' not in said.err


def test_list_finds_jobs_whose_code_is_gone(jobs):
    job = Plain.enqueue()
    Job.objects.filter(pk=job.pk).update(runner='gone.away.Job')
    assert [row['id'] for row in jobs('list', '--json', '--runner', 'gone.away.Job').json] == [job.pk]


def test_an_empty_list_is_no_error(jobs):
    said = jobs('list')
    assert (said.code, said.out.split()[0], said.err) == (0, 'ID', 'There are no jobs.\n')
    assert jobs('list', '--queue', 'low').err == 'No jobs match.\n'
    assert jobs('list', '--json').json == []


# JSON


def test_the_json_has_the_documented_keys_and_iso_times_in_utc(jobs, work):
    Plain.enqueue_once(interval=5)
    FailingOnce.enqueue()
    work_twice(work)
    Worker.objects.create(token='t', name='w', host='h', pid=1, queues='high,low')
    running = Plain.enqueue(user=User.objects.create(username='ada'), when=datetime(2026, 1, 1))
    running.start()
    Worker.objects.create(token=running.worker, name='r', host='h', pid=2, queues='low')
    Progress.objects.create(job=running, current=5, total=10, message='half')
    (job_keys, (progress_keys,)) = documented_keys('a job')
    found = {row['id']: row for row in jobs('list', '--json').json}
    assert list(found[running.pk]) == job_keys
    assert list(found[running.pk]['progress']) == progress_keys
    assert datetime.fromisoformat(found[running.pk]['created']) == running.created
    assert found[running.pk]['created'].endswith('+00:00')
    assert (found[running.pk]['user'], found[running.pk]['progress']['percent']) == ('ada', 50)
    more, (attempts, steps, worker) = documented_keys('`show`')
    shown = jobs('show', running.pk, '--json').json
    assert list(shown) == job_keys + [key for key in more if key != 'show']
    assert list(shown['worker']) == worker
    assert shown['arguments'] == 'when=datetime.datetime(2026, 1, 1, 0, 0)'
    retried = FailingOnce.get_jobs().get()
    JobStep.objects.create(job=retried, name='fetch', started=retried.created)
    assert [list(each) for each in jobs('show', retried.pk, '--json').json['steps']] == [steps]
    assert [list(each) for each in jobs('show', retried.pk, '--json').json['attempts']] == [attempts]
    lines = [json.loads(line) for line in jobs('log', retried.pk, '--json').out.splitlines()]
    assert [list(line) for line in lines] == [documented_keys('a log line')[0]] * 3
    assert [line['attempt'] for line in lines] == [1, 1, 2]
    for command, of in (('queues', 'a queue'), ('workers', 'a worker'), ('schedules', 'a schedule')):
        rows = jobs(command, '--json').json
        assert rows
        assert all(list(row) == documented_keys(of)[0] for row in rows), command
    assert [list(row) for row in jobs('retry', retried.pk, '--json').json] == [job_keys]
    assert list(jobs('run', 'Plain', '--json').json) == job_keys


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
        'runner: tests.cli.test_commands.FailingOnce',
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


# cancel, stop


def test_cancel_ends_what_waits_and_says_why_not(jobs):
    waiting, running, ended = Plain.enqueue(), Plain.enqueue(), Plain.enqueue(immediate=True)
    running.start()
    said = jobs('cancel', waiting.pk, '--yes')
    assert (said.code, said.out) == (0, f'Job {waiting.pk} (Plain): canceled.\n')
    assert status(waiting) == 'canceled'
    said = jobs('cancel', '-y', running.pk, ended.job_id)
    assert said.code == 1
    assert said.err.splitlines() == [
        f'Job {running.pk} (Plain): it is running and cannot be canceled; stop it with "jobs stop {running.pk}".',
        f'Job {ended.pk} (Plain): it has already ended as completed.',
    ]
    assert status(running) == 'running'


def test_nothing_is_done_if_one_of_the_ids_is_unknown(jobs):
    job = Plain.enqueue()
    assert jobs('cancel', '--yes', job.pk, 99999).code == 2
    assert status(job) == 'pending'


def test_stop_ends_what_runs_and_cancels_what_waits(jobs):
    waiting, running, ended = Plain.enqueue(), Plain.enqueue(), Plain.enqueue(immediate=True)
    running.start()
    said = jobs('stop', '--yes', waiting.pk, running.pk)
    assert said.code == 0
    assert said.out.splitlines() == [f'Job {waiting.pk} (Plain): canceled.', f'Job {running.pk} (Plain): stopping.']
    running.refresh_from_db()
    assert running.stopping is not None
    said = jobs('stop', '--yes', running.pk)
    assert said.code == 0
    assert 'already stopping since ' in said.out
    said = jobs('stop', '--yes', ended.pk)
    assert (said.code, said.err) == (1, f'Job {ended.pk} (Plain): it has already ended as completed.\n')


@pytest.mark.parametrize('command', ['cancel', 'stop', 'prune', 'schedules end'])
def test_what_cannot_be_taken_back_asks_on_a_terminal_and_wants_yes_elsewhere(jobs, command):
    job = Plain.enqueue_once(interval=60)
    old = Plain.enqueue(immediate=True)
    Job.objects.filter(pk=old.pk).update(created='2020-01-01T00:00Z', completed='2020-01-01T00:00Z')
    ids = {'prune': (), 'schedules end': (job.schedule_id,)}.get(command, (job.pk,))

    def untouched():
        return Job.objects.waiting().count() == 1 and Schedule.objects.count() == 1 and Job.objects.count() == 2

    said = jobs(*command.split(), *ids)
    assert (said.code, said.out) == (2, '')
    assert 'pass --yes to confirm' in said.err
    for answer in ('', '\n', 'n\n', 'what?\n'):
        said = jobs(*command.split(), *ids, answer=answer)
        assert (said.code, said.out) == (1, '')
        assert '? [y/N] Nothing was done.' in said.err
        if ids:
            assert f' {ids[0]} "Plain"? [y/N]' in said.err
        assert untouched()
    assert jobs(*command.split(), *ids, answer='y\n').code == 0
    assert not untouched()


def test_a_question_names_ten_and_counts_the_rest(jobs):
    pks = [Plain.enqueue().pk for _ in range(12)]
    said = jobs('cancel', *pks, answer='n\n')
    assert 'and 2 more' in said.err
    assert 'Cancel 12 jobs?' in said.err


# retry


def test_retry_enqueues_once_more(jobs, work):
    job = Plain.enqueue(word='again')
    said = jobs('retry', job.pk)
    assert (said.code, said.out) == (1, '')
    assert said.err.startswith(f'Job {job.pk} (Plain) was not retried: Job {job.pk} (Plain) is pending')
    work()
    said = jobs('retry', job.pk, job.job_id)
    new = Job.objects.get(retry_of=job)
    assert (said.code, said.out) == (0, f'Job {job.pk} (Plain): enqueued again as job {new.pk}.\n')
    work()
    new.refresh_from_db()
    assert new.data == {'word': 'again'}


def test_retry_says_what_is_missing(jobs):
    thing = Thing.objects.create()
    gone, changed = Plain.enqueue(about=thing, immediate=True), Plain.enqueue(immediate=True)
    thing.delete()
    Job.objects.filter(pk=changed.pk).update(runner='gone.away.Job')
    said = jobs('retry', gone.pk, changed.pk)
    assert said.code == 1
    assert 'no longer exists' in said.err.splitlines()[0]
    assert 'gone.away.Job cannot be imported' in said.err.splitlines()[1]


# run


def test_run_enqueues_with_arguments_instance_queue_and_user(jobs, work):
    thing, user = UUIDThing.objects.create(), User.objects.create(username='ada')
    said = jobs(
        'run', 'tests.app.jobs.Plain', '--arg', 'a=3', '--arg', 'b={"c": [1, null]}', '--arg', 'd=2026-01-01',
        '--arg', 'e=x=y', '--arg', 'f="3"', '--instance', f'testapp.uuidthing:{thing.pk}',
        '--queue', 'low', '--user', 'ada',
    )  # fmt: skip
    job = Job.objects.get()
    assert (said.code, said.out) == (0, f'Job {job.pk} (Plain) is enqueued in the queue low.\n')
    assert job.get_arguments() == {'a': 3, 'b': {'c': [1, None]}, 'd': '2026-01-01', 'e': 'x=y', 'f': '3'}
    assert (job.object, job.user, job.queue_name) == (thing, user, 'low')


def test_run_finds_a_runner_by_its_name(jobs):
    assert jobs('run', 'Plain').code == 0
    assert jobs('run', 'Purge old records').code == 0
    assert list(Job.objects.order_by('pk').values_list('runner', flat=True)) == [
        'tests.app.jobs.Plain',
        'example_plugin.housekeeping.PurgeRecordsJob',
    ]
    assert jobs('run', 'OwnQueue').code == 0
    assert Job.objects.latest('pk').name == 'Own queue'


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        (
            ('Twin',),
            "2 runners are named 'Twin'; pass the path of one: tests.cli.test_commands.TwinOne, tests.cli.test_c",
        ),
        (('Plian',), "There is no runner 'Plian'; did you mean 'Plain'?"),
        (('tests.app.jobs.Nope',), "There is no runner 'tests.app.jobs.Nope'; did you mean 'tests.app.jobs."),
        (('zzz',), "There is no runner 'zzz'; expected the path of a JobRunner, or its Meta.name."),
        (('netbox_jobs.jobs.JobRunner',), "There is no runner 'netbox_jobs.jobs.JobRunner'"),
        (('os.system',), "There is no runner 'os.system'"),
        (('tests.app.jobs.plain_function',), "There is no runner 'tests.app.jobs.plain_function'"),
        (('Plain', '--arg', 'x'), "'x' is not an argument; expected name=value"),
        (('Plain', '--arg', '1=x'), "'1=x' is not an argument"),
        (('Plain', '--arg', 'interval=5'), "'interval' is an option of enqueue()"),
        (('Plain', '--arg', 'retry=5'), "RQ's option 'retry' is not accepted"),
        (('Plain', '--queue', 'nope'), "There is no queue 'nope'"),
        (('Plain', '--user', 'nobody'), "There is no user 'nobody'."),
        (('Plain', '--instance', 'testapp.thing:5'), 'There is no testapp.thing with the primary key 5.'),
    ],
)
def test_run_says_what_is_wrong_and_enqueues_nothing(jobs, arguments, says):
    said = jobs('run', *arguments)
    assert (said.code, said.out) == (2, '')
    assert said.err.startswith(says)
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ('runner', 'code', 'ends'), [(Talking, 0, 'completed'), (Failing, 1, 'failed'), (Erring, 1, 'errored')]
)
def test_run_wait_shows_the_log_and_ends_by_the_outcome(jobs, worker_between_looks, runner, code, ends):
    said = jobs('run', runner.name, '--wait')
    assert said.code == code
    job = Job.objects.get()
    assert said.out.splitlines()[-1].startswith(f'Job {job.pk} ({runner.name}) {ends} in ')
    assert all(line['message'].splitlines()[0] in said.out for line in job.log_entries)
    if runner is Failing:
        assert said.out.endswith(': expected\n')
    quiet = jobs('run', runner.name, '--wait', '--json')
    assert (quiet.code, quiet.json['status']) == (code, ends)


def test_run_wait_of_a_job_that_somebody_cancels_is_not_done(jobs, monkeypatch):
    monkeypatch.setattr(follow.time, 'sleep', lambda seconds: Job.objects.get().cancel())
    said = jobs('run', 'Plain', '--wait')
    assert said.code == 1
    assert said.out.splitlines()[-1] == f'Job {Job.objects.get().pk} (Plain) was canceled'


@pytest.mark.parametrize('command', ['run', 'log'])
def test_ctrl_c_leaves_the_job_alone(jobs, monkeypatch, command):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(follow.time, 'sleep', interrupt)
    if command == 'run':
        said = jobs('run', 'Plain', '--wait')
        assert f'continues. Follow it with "jobs log {Job.objects.get().pk} --follow"' in said.err
    else:
        said = jobs('log', '--follow', Plain.enqueue().pk)
    assert said.code == 130
    assert status(Job.objects.get()) == 'pending'


# queues, workers


def test_queues_tells_what_waits_runs_and_failed_and_who_serves(jobs):
    Worker.objects.create(token='a', name='a', host='h', pid=1, queues='high,default')
    Worker.objects.create(token='b', name='b', host='h', pid=2, queues='default')
    old, _young, running = Plain.enqueue(), Plain.enqueue(), Plain.enqueue()
    Job.objects.filter(pk=old.pk).update(due=old.due - 150_000)
    running.start()
    Plain.enqueue(schedule_at=timezone.now() + timedelta(hours=1))
    Plain.enqueue(depends_on=old)
    Failing.enqueue(immediate=True)
    Erring.enqueue(immediate=True, queue_name='low')
    before = Erring.enqueue(immediate=True)
    Job.objects.filter(pk=before.pk).update(completed=timezone.now() - timedelta(days=2))
    Job.objects.filter(pk=Plain.enqueue().pk).update(queue_name='gone')
    PausedQueue.pause('low')
    found = {row['name']: row for row in jobs('queues', '--json').json}
    assert list(found)[:3] == ['high', 'default', 'low']
    default = found['default']
    assert [default[key] for key in ('waiting', 'scheduled', 'running', 'failed', 'workers')] == [3, 1, 1, 1, 2]
    assert abs(datetime.fromisoformat(default['oldest']) - old.created) > timedelta(seconds=149)
    assert [found[name]['workers'] for name in ('high', 'low')] == [1, 0]
    assert (found['low']['failed'], found['gone']['waiting'], found['default']['paused']) == (1, 1, None)
    assert datetime.fromisoformat(found['low']['paused']) <= timezone.now()
    rows = {row[0]: row for row in jobs('queues').rows}
    assert rows['default'].pop(2).startswith('2 min 3')  # and the seconds that the test has taken
    assert rows['default'] == ['default', '3', '1', '1', '1', '2', 'Active']
    assert rows['low'] == ['low', '0', '-', '0', '0', '1', '0', 'Paused']
    assert rows['gone'][-1] == 'No worker'


def test_workers_tells_what_each_does(jobs):
    assert jobs('workers').err.startswith('No worker is running.')
    job, lone = Plain.enqueue(), Talking.enqueue()
    for each in (job, lone):
        each.start()
    Job.objects.filter(pk=lone.pk).update(worker='elsewhere')
    Worker.objects.create(token=job.worker, name='busy', host='here', pid=5, queues='high,low')
    Worker.objects.create(token='idle', name='lazy', host='there', pid=6, queues='low')
    Progress.objects.create(job=job, current=1, total=4)
    rows = jobs('workers').rows
    assert [row[:4] for row in rows[:2]] == [['busy', 'here', '5', 'high,low'], ['lazy', 'there', '6', 'low']]
    assert rows[0][5:7] == [f'{job.pk} Plain', '25%']
    assert rows[1][5] == 'Idle'
    assert (rows[2][1], rows[2][5]) == ('no worker', f'{lone.pk} Talking')
    (busy, lazy, other) = jobs('workers', '--json').json
    assert busy['queues'] == ['high', 'low'] and busy['jobs'][0]['progress']['current'] == 1
    assert (lazy['jobs'], other['name'], other['jobs'][0]['id']) == ([], None, lone.pk)


def test_pause_and_resume_name_queues_that_exist(jobs):
    said = jobs('pause', 'low', 'high')
    assert (said.code, said.out) == (0, 'The queue low is paused.\nThe queue high is paused.\n')
    assert jobs('pause', 'low').out == 'The queue low is already paused.\n'
    said = jobs('pause', 'default', 'nope')
    assert said.code == 2
    assert said.err.startswith("There is no queue 'nope'; the queues are")
    assert set(PausedQueue.objects.values_list('name', flat=True)) == {'low', 'high'}
    assert jobs('resume', 'low').out == 'The queue low is resumed.\n'
    assert jobs('resume', 'low').out == 'The queue low was not paused.\n'
    assert jobs('resume', 'nope').code == 2
    PausedQueue.objects.create(name='gone')
    assert jobs('resume', 'gone').out == 'The queue gone is resumed.\n'
    with pytest.raises(UnknownQueue):
        PausedQueue.pause('nope')


# schedules


def test_schedules_lists_what_recurs(jobs, work):
    thing = Thing.objects.create()
    ran = Plain.enqueue_once(instance=thing, interval=60)
    work()
    cron = Talking.enqueue_once(cron='0 3 * * *', timezone='Europe/Berlin')
    paused = Failing.enqueue_once(interval=5)
    paused.schedule.pause()
    Schedule.objects.filter(pk=paused.schedule_id).update(suspended='it was too much')
    rows = {row[0]: row for row in jobs('schedules').rows}
    assert rows[str(ran.schedule_id)][1:5] == [
        'Plain',
        'tests.app.jobs.Plain',
        f'testapp.thing:{thing.pk}',
        'every hour',
    ]
    assert rows[str(ran.schedule_id)][7:] == ['Completed', '1', 'Active']
    assert rows[str(cron.schedule_id)][4] == 'at 03:00 every day (Europe/Berlin)'
    assert rows[str(paused.schedule_id)][5:] == ['-', '-', '-', '0', 'Suspended']
    assert jobs('schedules').err == f'Schedule {paused.schedule_id} (Failing) is suspended: it was too much\n'
    found = {row['id']: row for row in jobs('schedules', '--json').json}
    first = found[ran.schedule_id]
    assert (first['last_status'], first['last_job'], first['runs'], first['interval']) == ('completed', ran.pk, 1, 60)
    assert datetime.fromisoformat(first['next_run']) == ran.schedule.next_run
    assert (found[paused.schedule_id]['next_run'], found[paused.schedule_id]['paused']) == (None, True)


def test_schedules_are_paused_resumed_run_changed_and_ended(jobs):
    job = Plain.enqueue_once(interval=60, schedule_at=timezone.now() + timedelta(hours=1))
    number = job.schedule_id
    said = f'Schedule {number} (Plain)'
    assert jobs('schedules', 'pause', number).out == f'{said} is paused.\n'
    assert jobs('schedules', 'pause', number).out == f'{said} is already paused.\n'
    assert jobs('schedules', 'resume', number).out == f'{said} is resumed.\n'
    assert jobs('schedules', 'resume', number).out == f'{said} was not paused.\n'
    assert jobs('schedules', 'change', number, '--interval', '5').out.startswith(
        f'{said} now recurs every 5 minutes; next run: '
    )
    changed = jobs('schedules', 'change', number, '--cron', '0 3 * * *', '--timezone', 'Asia/Tokyo')
    assert changed.out.startswith(f'{said} now recurs at 03:00 every day (Asia/Tokyo); next run: ')
    assert jobs('schedules', 'run-now', number).out == f'{said}: job {job.pk} starts now.\n'
    assert status(job) == 'pending'
    job.start()
    running = jobs('schedules', 'run-now', number)
    assert (running.code, running.err) == (1, f'{said} has no waiting job: job {job.pk} is running.\n')
    assert jobs('schedules', 'end', number, '--yes').out == f'{said} has ended.\n'
    assert not Schedule.objects.exists()


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        (('pause', '99'), 'There is no schedule 99.'),
        (('end', '--yes', 'x'), "'x' is not the ID of a schedule"),
        (('change', '{}', '--interval', '0'), 'interval is 0; expected a whole number of minutes'),
        (('change', '{}', '--cron', 'daily'), "cron is 'daily'; expected five fields"),
        (('change', '{}', '--cron', '0 3 * * *', '--timezone', 'Mars'), "timezone is 'Mars'; expected a name"),
        (('change', '{}', '--interval', '5', '--timezone', 'Asia/Tokyo'), '--timezone is given without --cron'),
    ],
)
def test_schedules_says_what_is_wrong(jobs, arguments, says):
    schedule = Plain.enqueue_once(interval=60).schedule
    said = jobs('schedules', *(argument.format(schedule.pk) for argument in arguments))
    assert (said.code, said.out) == (2, '')
    assert said.err.startswith(says)
    schedule.refresh_from_db()
    assert schedule.interval == 60


# prune, repair


def test_prune_deletes_what_ended_long_ago(jobs, settings):
    old, new = Plain.enqueue(immediate=True), Plain.enqueue(immediate=True)
    moment = timezone.now() - timedelta(days=40)
    Job.objects.filter(pk=old.pk).update(created=moment, completed=moment)
    assert jobs('prune', '--yes').out == 'Deleted 0 jobs that ended more than 90 days ago.\n'
    assert jobs('prune', '--yes', '--days', '30').out == 'Deleted 1 job that ended more than 30 days ago.\n'
    assert list(Job.objects.all()) == [new]
    assert jobs('prune', '--days', '0').code == 2
    settings.JOB_RETENTION = 0
    assert jobs('prune').out == 'JOB_RETENTION is 0: all jobs are kept.\n'


def test_repair_says_what_it_found_and_a_dry_run_does_nothing(jobs):
    job = Plain.enqueue(schedule_at=timezone.now() + timedelta(hours=1))
    Job.objects.filter(pk=job.pk).update(due=1)
    assert '     1  scheduled jobs are due' in jobs('repair', '--dry-run').out
    assert status(job) == 'scheduled'
    assert jobs('repair').out.endswith('Done.\n')
    assert status(job) == 'pending'


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


# health, doctor


@pytest.fixture
def beating(monkeypatch):
    """A worker of this host, which gives a heartbeat whenever somebody waits for it."""
    Worker.objects.create(token='w', name='w', host=socket.gethostname(), pid=1, queues='high low')
    monkeypatch.setattr(health.time, 'sleep', lambda _seconds: Worker.objects.update(beats=F('beats') + 1))


def test_health_says_by_its_exit_code_whether_all_answers(jobs, settings):
    said = jobs('health')
    assert (said.code, said.out.splitlines()) == (0, ['database: ok', 'tables: ok', 'redis: ok'])
    settings.RQ_QUEUES = {'default': {'URL': 'redis://127.0.0.1:1/0'}}
    said = jobs('health', '--json')
    assert (said.code, [each['ok'] for each in said.json]) == (0, [True, True, False])
    assert jobs('health', '--redis').code == 1
    assert set(said.json[0]) == set(documented_keys('a check of `health`')[0])


def test_health_looks_for_live_workers(jobs, beating, monkeypatch):
    assert jobs('health', '--worker').code == 0
    assert jobs('health', '--queue', 'low', '--queue', 'high').code == 0
    said = jobs('health', '--queue', 'low', '--queue', 'default')
    assert said.code == 1 and 'No live worker serves default.' in said.out
    monkeypatch.setattr(health.time, 'sleep', lambda _seconds: None)
    said = jobs('health', '--worker')
    assert said.code == 1 and 'gave a heartbeat' in said.out
    Worker.objects.update(host='elsewhere')
    assert jobs('health', '--worker').code == 1


def test_doctor_prints_findings_the_worst_first_and_what_to_do(jobs, beating):
    PausedQueue.pause('high')
    Plain.enqueue(queue_name='high')
    Plain.enqueue(queue_name='default')
    said = jobs('doctor')
    assert said.code == 1
    levels = re.findall(r'^([A-Z]+) [a-z]+\.', said.out, re.MULTILINE)
    assert levels == sorted(levels, key=['ERROR', 'WARNING', 'INFO'].index) and {'ERROR', 'INFO'} <= set(levels)
    assert '  Start one with "manage.py rqworker default"' in said.out
    found = jobs('doctor', '--json').json
    assert set(found[0]) == {'code', 'level', 'text', 'advice'} <= set(documented_keys('a finding of `doctor`')[0])


def test_doctor_finds_nothing_in_a_sound_installation(jobs, monkeypatch):
    monkeypatch.setattr(health.doctor, 'examine', lambda _sleep: iter(()))
    said = jobs('doctor')
    assert (said.code, said.out) == (0, 'No problems were found.\n')


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
    (sentence,) = re.findall(r'^(`list`.*?) take `--json`', PAGE, re.MULTILINE | re.DOTALL)
    assert taking_json == set(re.findall(r'`(\w+)`', sentence))
    asking = {name for name, each in commands.items() if '--yes' in each._option_string_actions}
    assert asking == set(re.findall(r'^\| `jobs (\w+)[^|]*\| .*\(prompts\)', PAGE, re.MULTILINE)) - {'schedules'}


def test_jobs_of_plain_functions_can_be_retried(jobs, work):
    job = Job.enqueue(plain_function, word='w', immediate=True)
    assert jobs('retry', job.pk).code == 0
    work()
    assert Job.objects.get(retry_of=job).data == {'word': 'w'}

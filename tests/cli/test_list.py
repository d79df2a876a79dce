"""`manage.py jobs list`: what it finds, its columns, and its JSON."""

import json
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from netbox_jobs.models import Job, JobStep, Progress, Worker
from tests.app.jobs import Plain, Talking
from tests.app.models import TextThing, Thing, UUIDThing
from tests.cli.helpers import FailingOnce, documented_keys, work_twice

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_list_has_a_column_for_tenants_once_a_job_has_one(jobs):
    Plain.enqueue()
    job = Plain.enqueue()
    assert 'TENANT' not in jobs('list').out
    Job.objects.filter(pk=job.pk).update(tenant='acme', context={'language': 'de'})
    said = jobs('list')
    place = said.out.splitlines()[0].split().index('TENANT')
    assert [row[place] for row in said.rows] == ['acme', '-']
    assert [row['tenant'] for row in jobs('list', '--json').json] == ['acme', '']
    assert jobs('show', str(job.pk), '--json').json['context'] == {'language': 'de'}
    shown = jobs('show', str(job.pk)).out
    assert 'acme' in shown and '{"language": "de"}' in shown


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
        (('--user', 'unknown'), "There is no user 'unknown'."),
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

"""`enqueue_many()`: many calls at once, under the promises of `enqueue()`."""

import logging
from datetime import datetime, timedelta
from unittest.mock import patch

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from redis.client import Pipeline
from redis.exceptions import ConnectionError

from netbox_jobs.broker import delivery
from netbox_jobs.broker.connection import close_circuits
from netbox_jobs.exceptions import UnknownQueue
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Overriding, Plain
from tests.app.models import Thing

pytestmark = pytest.mark.django_db(transaction=True)


def waiting(name='default'):
    return delivery.queue(name).job_ids


def test_the_jobs_come_in_the_order_of_the_calls_with_what_each_call_and_all_of_them_say(work):
    things = [Thing.objects.create(name=f'thing {number}') for number in range(3)]
    user = User.objects.create(username='ada')
    jobs = Plain.enqueue_many(
        [{'instance': things[0]}, {'instance': things[1], 'word': 'own'}, {'instance': things[2], 'name': 'Mine'}],
        user=user,
        word='common',
        job_timeout=33,
    )
    assert [job.pk for job in jobs] == sorted(Job.objects.values_list('pk', flat=True))
    stored = list(Job.objects.order_by('pk'))
    assert stored == jobs
    assert [job.object for job in stored] == things
    assert [job.name for job in stored] == ['Plain', 'Plain', 'Mine']
    assert {(job.user, job.job_timeout, job.status, job.queue_name) for job in stored} == {
        (user, 33, 'pending', 'default')
    }
    assert waiting() == [str(job.job_id) for job in jobs]
    work()
    assert [job.data for job in Job.objects.order_by('pk')] == [{'word': word} for word in ('common', 'own', 'common')]
    assert set(Job.objects.values_list('status', flat=True)) == {'completed'}


def test_a_stored_job_is_the_same_as_one_of_enqueue():
    one, (many,) = Plain.enqueue(word='x'), Plain.enqueue_many([{'word': 'x'}])
    own = {'id', 'job_id', 'created', 'due', 'arguments_signature'}
    rows = Job.objects.order_by('pk').values()
    assert [{k: v for k, v in row.items() if k not in own} for row in rows[:1]] == [
        {k: v for k, v in row.items() if k not in own} for row in rows[1:]
    ]
    assert (one._state.adding, one._state.db) == (many._state.adding, many._state.db)
    assert many.get_arguments() == {'word': 'x'}
    told = [delivery.queue('default').fetch_job(str(job.job_id)) for job in (one, many)]
    assert len({(t.description, t.timeout, t.failure_ttl, t.func_name) for t in told}) == 1


def test_calls_that_differ_in_everything_are_stored_as_by_enqueue():
    thing, user = Thing.objects.create(), User.objects.create(username='ada')
    calls = [
        {},
        {'instance': thing, 'word': 'quotes \' " and \\ and {braces}, NULL'},
        {'user': user, 'word': {'deep': [b'\xff\x00', None]}, 'name': '✓'},
        {'schedule_at': timezone.now() + timedelta(hours=1), 'job_timeout': 5, 'queue_name': 'low'},
        {'meta': {'one': 1}, 'max_retries': 2},
        {'meta': {'one': True}, 'notifications': 'never'},
        {'meta': {'one': 1.0}, 'interval': 5},
    ]
    many = Plain.enqueue_many(calls)
    singles = [Plain.enqueue(**call) for call in calls]
    own = ('id', 'job_id', 'created', 'due', 'scheduled', 'arguments_signature', 'schedule_id', 'slot')
    rows = list(Job.objects.order_by('pk').values())
    for row in rows:
        for name in own:
            row.pop(name)
    assert repr(rows[: len(calls)]) == repr(rows[len(calls) :])
    assert len(rows) == len(many) + len(singles)
    assert [job.get_arguments() for job in Job.objects.order_by('pk')[: len(calls)]] == [
        job.get_arguments() for job in singles
    ]
    assert [job.pk for job in many] == [Job.objects.get(job_id=job.job_id).pk for job in many]


def test_no_calls_make_no_jobs():
    assert Plain.enqueue_many([]) == []
    assert Plain.enqueue_many(iter([])) == []


def test_a_hundred_jobs_take_one_insert_and_one_round_trip_to_redis():
    Plain.enqueue_many([{}])
    client = delivery.queue('default').connection
    with (
        CaptureQueriesContext(connection) as queries,
        patch.object(client, 'pipeline', wraps=client.pipeline) as pipeline,
    ):
        Plain.enqueue_many([{'word': number} for number in range(100)])
    inserts = [query for query in queries if query['sql'].startswith('INSERT')]
    # Older versions of Django give SQLite a thousand values at a time.
    assert len(inserts) <= (5 if connection.vendor == 'sqlite' else 1), [query['sql'][:60] for query in queries]
    assert pipeline.call_count == 1
    assert len(waiting()) == 101


def test_more_than_a_batch():
    jobs = Plain.enqueue_many([{}] * 1003)
    assert len({job.pk for job in jobs}) == 1003 == Job.objects.count()
    assert waiting() == [str(job.job_id) for job in jobs]


@pytest.mark.parametrize(
    ('wrong', 'error'),
    [
        ({'queue_name': 'nope'}, UnknownQueue),
        ({'schedule_at': datetime(2040, 1, 1)}, ValueError),
        ({'interval': 0}, ValueError),
        ({'lock': lambda: None}, TypeError),
        ({'retry': 3}, ValueError),
        ({'immediate': True}, ValueError),
        ({'name': 'x' * 201}, ValueError),
    ],
)
def test_p8_whatever_is_wrong_with_one_call_is_raised_before_anything_is_written(wrong, error):
    with CaptureQueriesContext(connection) as queries, pytest.raises(error):
        Plain.enqueue_many([{}, wrong, {}])
    assert not [query for query in queries if query['sql'].startswith('INSERT')]
    assert not Job.objects.exists() and not waiting()


def test_an_error_says_which_call_it_is_about():
    with pytest.raises(ValueError) as caught:
        Plain.enqueue_many([{}, {}, {'interval': -1}])
    assert 'call 2 of enqueue_many()' in caught.value.__notes__[0]
    with pytest.raises(TypeError, match='Call 1 of enqueue_many'):
        Plain.enqueue_many([{}, Thing()])


def test_p1_workers_hear_of_them_after_the_commit_and_never_after_a_rollback():
    with transaction.atomic():
        Plain.enqueue_many([{}, {}])
        assert not waiting()
    assert len(waiting()) == 2
    with transaction.atomic():
        Plain.enqueue_many([{}, {}])
        transaction.set_rollback(True)
    assert len(waiting()) == 2 == Job.objects.count()


def test_p1_redis_down_is_one_warning_and_recovery_delivers_them(caplog, monkeypatch):
    monkeypatch.setattr(delivery, 'BATCH', 8)
    monkeypatch.setattr(recovery, '_BATCH', 6)
    with patch.object(Pipeline, 'execute', side_effect=ConnectionError('gone')), caplog.at_level(logging.WARNING):
        jobs = Plain.enqueue_many([{}] * 20)
    warnings = [record.getMessage() for record in caplog.records if record.name == 'netbox_jobs']
    assert len(warnings) == 1 and 'with 19 others, is stored, but Redis' in warnings[0], warnings
    assert not waiting()
    close_circuits()
    Job.objects.update(due=jobs[0].due - 20_000)
    assert recovery.redeliver_vanished() == 20
    assert len(waiting()) == 20


def test_scheduled_ones_wait_in_the_database():
    later = timezone.now() + timedelta(hours=1)
    jobs = Plain.enqueue_many([{}, {'schedule_at': later}])
    assert [job.status for job in jobs] == ['pending', 'scheduled']
    assert waiting() == [str(jobs[0].job_id)]
    Job.objects.filter(pk=jobs[1].pk).update(due=1)
    assert recovery.deliver_due() == 1


def test_p4_each_periodic_call_begins_a_chain_of_its_own(work):
    jobs = Plain.enqueue_many([{'interval': 5}, {'interval': 10}, {'cron': '0 3 * * *'}, {}])
    assert Schedule.objects.count() == 3
    assert [job.slot for job in jobs] == [*Schedule.objects.order_by('pk').values_list('pk', flat=True), None]
    work()
    assert sorted(Plain.get_jobs().waiting().exclude(predecessor=None).values_list('interval', flat=True)) == [5, 10]
    assert Job.objects.get(pk=jobs[2].pk).schedule.cron == '0 3 * * *'


def test_each_goes_to_its_queue_and_at_front_means_it():
    first, second, third = Plain.enqueue_many([{}, {'queue_name': 'low'}, {'at_front': True}])
    assert waiting() == [str(third.job_id), str(first.job_id)]
    assert waiting('low') == [str(second.job_id)]


def test_they_may_depend_on_others(work):
    before = Plain.enqueue(schedule_at=timezone.now() + timedelta(hours=1))
    alone, gated = Plain.enqueue_many([{}, {'depends_on': before}])
    work()
    assert [Job.objects.get(pk=job.pk).status for job in (alone, gated)] == ['completed', 'pending']
    assert list(gated.dependencies.all()) == [before]
    Job.objects.get(pk=before.pk).terminate()
    work()
    assert Job.objects.get(pk=gated.pk).status == 'completed'


def test_a_runner_with_an_enqueue_of_its_own_gets_each_call_by_it():
    jobs = Overriding.enqueue_many([{}, {'marked': 'mine'}])
    assert [job.get_arguments() for job in jobs] == [{'marked': 'yes'}, {'marked': 'mine'}]
    assert {job.queue_name for job in jobs} == {'low'}
    assert len(waiting('low')) == 2
    with pytest.raises(ValueError):
        Overriding.enqueue_many([{}, {'interval': 0}])
    assert Job.objects.count() == 2  # the first of the two is rolled back


def test_a_synchronous_queue_runs_them_after_the_commit():
    queues = {'default': {**delivery.queues.configured()['default'], 'ASYNC': False}}
    with override_settings(RQ_QUEUES=queues):
        with transaction.atomic():
            jobs = Plain.enqueue_many([{}, {}])
            assert {job.status for job in jobs} == {'pending'}
        assert set(Job.objects.values_list('status', flat=True)) == {'completed'}


def test_from_asynchronous_code():
    jobs = async_to_sync(Plain.aenqueue_many)([{'word': 'x'}], user=None)
    assert Job.objects.get(pk=jobs[0].pk).get_arguments() == {'word': 'x'}


def test_where_the_database_tells_no_keys_of_bulk_inserts_they_are_made_one_by_one():
    with patch.object(connection.features.__class__, 'can_return_rows_from_bulk_insert', False):
        jobs = Plain.enqueue_many([{'word': 'x'}, {}])
    assert [job.pk for job in jobs] == list(Job.objects.order_by('pk').values_list('pk', flat=True))
    assert len(waiting()) == 2

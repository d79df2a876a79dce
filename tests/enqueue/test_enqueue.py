"""`enqueue()`: what it stores, what it refuses, and when RQ gets to know."""

import socket
import threading
import time
from datetime import datetime, timedelta
from datetime import timezone as timezone_of
from unittest.mock import MagicMock

import fakeredis
import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.test import TestCase, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from rq import SimpleWorker

from netbox_jobs.broker import delivery
from netbox_jobs.choices import JobNotificationChoices, JobStatusChoices
from netbox_jobs.core import arguments
from netbox_jobs.exceptions import JobFailed, UnknownQueue, UnsupportedOption
from netbox_jobs.jobs import JobRunner
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import (
    Breaking,
    Erring,
    Failing,
    Overriding,
    Plain,
    Talking,
    failing_function,
    plain_function,
)
from tests.app.models import Thing, Trace
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def ids_in_rq(name='default'):
    return delivery.queue(name).job_ids


def test_a_completed_job(work):
    job = Plain.enqueue(word='x')
    assert (job.status, job.name, job.queue_name) == ('pending', 'Plain', 'default')
    work()
    assert status(job) == 'completed'
    assert job.data == {'word': 'x'}
    assert job.started <= job.completed
    assert job.execution_time >= timedelta()
    assert job.duration.startswith('0 minutes, ')
    assert job.get_status_color() == 'green'


def test_a_failed_job_keeps_message_and_data(work):
    job = Failing.enqueue(message='no luck')
    work()
    assert (status(job), job.error, job.data) == ('failed', 'no luck', {'seen': True})


def test_jobfailed_without_a_message(work):
    class Bare(JobRunner):
        def run(self):
            raise JobFailed

    job = Bare.enqueue(immediate=True)
    assert (status(job), job.error) == ('failed', '')


def test_an_errored_job_keeps_repr_data_and_traceback(work):
    job = Erring.enqueue()
    work()
    assert (status(job), job.error, job.data) == ('errored', "RuntimeError('unexpected')", {'seen': True})
    assert 'raise RuntimeError' in job.log_entries[-1]['message']


def test_system_exit_in_run_is_an_error(work):
    class Leaving(JobRunner):
        def run(self):
            raise SystemExit(3)

    with pytest.raises(SystemExit):
        Leaving.enqueue(immediate=True)
    assert status(Leaving.get_jobs().get()) == 'errored'


def test_run_gets_the_callers_arguments_and_nothing_else(work):
    class Exact(JobRunner):
        def run(self, **kwargs):
            self.job.data = sorted(kwargs)

    assert Exact.enqueue(immediate=True, a=1, b=2).data == ['a', 'b']


def test_run_without_kwargs_works(work):
    class NoArguments(JobRunner):
        def run(self):
            self.job.data = 'done'

    assert NoArguments.enqueue(immediate=True).data == 'done'


def test_plain_functions_can_be_enqueued(work):
    good, bad = Job.enqueue(plain_function, word='w'), Job.enqueue(failing_function)
    assert good.name == 'plain_function'
    work()
    assert (status(good), good.data) == ('completed', {'word': 'w'})
    assert (status(bad), bad.error) == ('errored', "ValueError('no')")


def test_meta_queue_and_time_limit_are_defaults_that_a_call_overrides():
    assert (Overriding.enqueue().queue_name, Overriding.enqueue().job_timeout) == ('low', 33)
    job = Overriding.enqueue(queue_name='high', job_timeout='2m')
    assert (job.queue_name, job.job_timeout) == ('high', 120)


def test_rq_options_go_to_rq_and_not_to_run(work):
    job = Plain.enqueue(
        job_timeout=77,
        result_ttl=5,
        failure_ttl=0,
        at_front=True,
        meta={'m': 1},
        description='about',
        word='x',
        retry=None,
    )
    found = delivery.queue('default').fetch_job(str(job.job_id))
    assert (found.timeout, found.result_ttl, found.failure_ttl) == (77, 5, 0)
    assert (found.meta, found.description) == ({'m': 1}, 'about')
    work()
    job.refresh_from_db()
    assert job.data == {'word': 'x'}


def test_redis_is_told_the_id_alone():
    job = Plain.enqueue(secret='password')
    found = delivery.queue('default').fetch_job(str(job.job_id))
    assert (found.args, found.kwargs) == ((str(job.job_id),), {})


def test_callbacks_of_rq_are_called(work):
    ok = Plain.enqueue(on_success=callback, on_failure=failure_callback)
    bad = Erring.enqueue(on_success=callback, on_failure=failure_callback)
    CALLED.clear()
    work()
    assert [('success', str(ok.job_id)), ('failure', str(bad.job_id))] == CALLED


CALLED = []


def callback(job, connection, result, *args, **kwargs):
    CALLED.append(('success', job.id))


def failure_callback(job, connection, kind, value, traceback):
    CALLED.append(('failure', job.id))


@pytest.mark.parametrize('option', ['job_id', 'pipeline', 'repeat', 'retry', 'unique'])
def test_options_that_would_undermine_the_row_are_refused_with_a_sentence(option):
    with pytest.raises(UnsupportedOption, match=option):
        Plain.enqueue(**{option: 'x'})
    assert not Job.objects.exists()


def test_depends_on_a_job_of_ours_is_gated_in_the_database(work):
    first = Plain.enqueue(queue_name='low')
    second = Plain.enqueue(queue_name='high', depends_on=first)
    assert ids_in_rq('high') == []
    work()
    work()
    assert (status(first), status(second)) == ('completed', 'completed')
    assert first.completed <= second.started


def test_a_job_whose_dependency_fails_is_errored_and_says_so(work):
    first = Failing.enqueue()
    second = Plain.enqueue(depends_on=[first])
    work()
    assert status(second) == 'errored'
    assert f'depends on job {first.pk}' in second.error


def test_p7_a_job_one_of_whose_dependencies_has_failed_does_not_run_when_that_is_deleted(work):
    failed, waiting = Failing.enqueue(queue_name='low'), Plain.enqueue(queue_name='high')
    job = Plain.enqueue(depends_on=[failed, waiting])
    work('low')
    assert status(job) == 'errored'
    Job.objects.get(pk=failed.pk).delete()
    work()
    assert (status(waiting), status(job)) == ('completed', 'errored')


def test_depends_on_an_ended_job_runs_at_once(work):
    first = Plain.enqueue(immediate=True)
    second, third = (Plain.enqueue(depends_on=found) for found in (str(first.job_id), first.job_id))
    assert list(third.dependencies.all()) == [first]
    work()
    assert (status(second), status(third)) == ('completed', 'completed')


def test_depends_on_a_job_of_rq_alone_is_left_to_rq(work):
    foreign = delivery.queue('default').enqueue_call('math.sqrt', args=(4,))
    job = Plain.enqueue(depends_on=foreign)
    work()
    assert status(job) == 'completed'


def test_rq_sees_a_job_after_the_commit_and_never_after_a_rollback():
    with transaction.atomic():
        job = Plain.enqueue()
        assert ids_in_rq() == []
    assert ids_in_rq() == [str(job.job_id)]
    with transaction.atomic():
        Plain.enqueue()
        transaction.set_rollback(True)
    assert ids_in_rq() == [str(job.job_id)]
    assert Job.objects.count() == 1


def test_one_insert_and_no_new_connection_for_an_enqueue():
    thing, user = Thing.objects.create(), get_user_model().objects.create(username='u')
    Plain.enqueue(instance=thing, user=user)
    pool = delivery.queue('default').connection.connection_pool
    before = pool._created_connections if hasattr(pool, '_created_connections') else len(pool._available_connections)
    with CaptureQueriesContext(connection) as captured:
        Plain.enqueue(instance=thing, user=user, word='x')
    assert [query['sql'].split()[0] for query in captured.captured_queries] == ['INSERT']
    after = pool._created_connections if hasattr(pool, '_created_connections') else len(pool._available_connections)
    assert after == before


def test_two_statements_for_an_executed_job_or_three_where_an_update_returns_nothing(work):
    Plain.enqueue()
    work()
    Talking.enqueue(lines=0)
    with CaptureQueriesContext(connection) as captured:
        work()
    sql = [query['sql'].split()[0] for query in captured.captured_queries]
    read = ['SELECT'] if connection.vendor == 'mysql' else []
    assert [word for word in sql if word not in ('BEGIN', 'COMMIT', 'SET')] == ['UPDATE', *read, 'UPDATE']


def bad(**given):
    return given


@pytest.mark.parametrize(
    ('given', 'error', 'words'),
    [
        (bad(queue_name='nowhere'), UnknownQueue, "the queues are 'default'"),
        (bad(schedule_at=datetime(2030, 1, 1)), ValueError, 'naive datetime'),
        (bad(schedule_at='tomorrow'), ValueError, 'expected a datetime'),
        (bad(schedule_at=timezone.now(), immediate=True), ValueError, 'exclude each other'),
        (bad(interval=0), ValueError, '1 or more'),
        (bad(interval=-5), ValueError, '1 or more'),
        (bad(interval=1.5), ValueError, 'whole number of minutes'),
        (bad(interval=True), ValueError, 'whole number of minutes'),
        (bad(interval=2**31), ValueError, 'at most'),
        (bad(instance=Thing(), immediate=True), ValueError, 'unsaved'),
        (bad(instance='thing'), TypeError, 'model object'),
        (bad(name='n' * 201), ValueError, '201 characters'),
        (bad(notifications='sometimes'), ValueError, 'always, on_failure, never'),
        (bad(user='somebody'), ValueError, 'saved user'),
        (bad(job_timeout='soon'), ValueError, 'job_timeout'),
        (bad(job_timeout=0), ValueError, 'job_timeout'),
        (bad(meta=[1]), ValueError, 'meta'),
        (bad(meta={'a': object()}), TypeError, r"meta\['a'\]"),
        (bad(on_success=lambda *a: None), ValueError, 'on_success'),
        (bad(depends_on=[3.5]), ValueError, 'depends_on'),
        (bad(word=threading.Lock()), TypeError, "'word'"),
        (bad(word=lambda: None), TypeError, "'word'"),
    ],
)
def test_p8_bad_input_is_an_error_at_the_call_and_nothing_is_written(given, error, words):
    with pytest.raises(error, match=words):
        Plain.enqueue(**given)
    assert not Job.objects.exists()
    assert not Schedule.objects.exists()
    assert ids_in_rq() == []


@pytest.mark.parametrize('call', ['lambda', 'nested', 'class', 'text', 'instance method'])
def test_p8_what_a_worker_cannot_import_is_refused(call):
    def nested(job):
        pass

    class Nested(JobRunner):
        def run(self):
            pass

    targets = {
        'lambda': lambda job: None,
        'nested': nested,
        'class': Nested.handle,
        'text': 'tests.app.jobs.plain_function',
        'instance method': threading.Event().set,
    }
    with pytest.raises((ValueError, TypeError)):
        Job.enqueue(targets[call])
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ('given', 'words'),
    [
        ({'job_timeout': 10**12}, 'at most 2147483647 seconds'),
        ({'cron': f'{",".join(str(n % 60) for n in range(80))} * * * *'}, 'at most 200'),
        ({'schedule_at': datetime.max.replace(tzinfo=timezone_of(timedelta(hours=-5)))}, 'up to the year'),
        ({'queue_name': ['default']}, 'no queue'),
        ({'max_retries': 10**9}, '0 to 10000'),
        ({'immediate': True, 'depends_on': 'x'}, 'exclude each other'),
    ],
)
def test_p8_what_no_column_holds_is_an_error_at_the_call(given, words):
    with pytest.raises(ValueError, match=words):
        Plain.enqueue(**given)
    assert not Job.objects.exists()


def test_an_empty_name_of_a_queue_is_the_default():
    assert Plain.enqueue(queue_name='').queue_name == 'default'


def test_p8_a_callback_of_main_is_refused():
    def here(*args):
        return None

    here.__module__, here.__qualname__ = '__main__', 'here'
    with pytest.raises(ValueError, match=r'__main__\.here'):
        Plain.enqueue(on_failure=here)


def test_a_runner_without_run_is_refused():
    with pytest.raises(TypeError, match='does not implement run'):
        JobRunner.enqueue()


def test_immediate_in_a_transaction_that_run_has_broken_unsaid_is_an_error():
    with transaction.atomic():
        job = Breaking.enqueue(immediate=True, how='swallowed')
        assert job.status == 'errored'
    assert status(job) == 'errored'
    assert 'rolled back' in job.error


def test_an_anonymous_user_is_no_user():
    assert Plain.enqueue(user=AnonymousUser()).user is None


def test_redis_down_the_call_succeeds_within_a_second_with_one_warning(caplog, work):
    down = {'default': {'HOST': '127.0.0.1', 'PORT': 1, 'DB': 0}}
    Plain.enqueue()
    with override_settings(RQ_QUEUES=down):
        begin = time.monotonic()
        job = Plain.enqueue(queue_name='tests.app.work')
        assert time.monotonic() - begin < 1
    warnings = [record for record in caplog.records if record.levelname == 'WARNING']
    assert [record.name for record in warnings] == ['netbox_jobs']
    assert 'is delivered when Redis is back' in warnings[0].getMessage()
    assert status(job) == 'pending'


def test_async_false_runs_inline_after_the_commit():
    config = {'default': {'HOST': '127.0.0.1', 'PORT': 1, 'DB': 0, 'ASYNC': False}}
    with override_settings(RQ_QUEUES=config):
        with transaction.atomic():
            good, bad = Plain.enqueue(), Erring.enqueue()
            assert not Trace.objects.exists()
        assert (status(good), status(bad)) == ('completed', 'errored')


def test_override_settings_keeps_the_plugins_queues():
    with override_settings(RQ_QUEUES={'default': {'HOST': '127.0.0.1', 'PORT': 1, 'DB': 0, 'ASYNC': False}}):
        assert Plain.enqueue(queue_name='tests.app.work').queue_name == 'tests.app.work'


def test_a_runner_that_is_gone_is_given_back_and_then_errored(work, settings):
    job = Plain.enqueue(interval=10)
    Job.objects.update(runner='tests.app.jobs.Renamed')
    work()
    assert (status(job), job.releases, job.attempt) == ('scheduled', 1, 0)
    settings.NETBOX_JOBS = {'RUNNER_GRACE': 0}
    again = Job.objects.get(pk=job.pk)
    Job.objects.filter(pk=job.pk).update(due=again.due - 10_000)
    recovery.deliver_due()
    work()
    assert status(job) == 'errored'
    assert 'tests.app.jobs.Renamed cannot be imported' in job.error
    assert 'cannot be imported' in Schedule.objects.get().suspended


def test_arguments_stored_by_another_release_are_left_to_a_worker_of_that(work, settings):
    job = Plain.enqueue(word='x')
    stored = arguments.Stored('pickle2', b'what only that can read', '')
    Job.objects.filter(pk=job.pk).update(
        arguments=stored.payload,
        arguments_format='pickle2',
        arguments_signature=stored.signature(job.job_id, job.runner, ''),
    )
    work()
    assert (status(job), job.releases, job.attempt) == ('scheduled', 1, 0)
    settings.NETBOX_JOBS = {'RUNNER_GRACE': 0}
    Job.objects.filter(pk=job.pk).update(due=0)
    recovery.deliver_due()
    work()
    assert status(job) == 'errored'
    assert "stored as 'pickle2', by another release" in job.error


def test_runners_can_be_built_and_run_by_hand():
    class Direct(JobRunner):
        def run(self, value):
            self.logger.info('with %s', value)
            self.job.data = value

    runner = Direct(MagicMock())
    runner.run(5)
    assert runner.job.data == 5


def test_handle_adopts_rows_made_by_hand_also_ended_ones():
    job = Job.objects.create(name='by hand')
    Plain.handle(job, word='x')
    assert (status(job), job.data) == ('completed', {'word': 'x'})
    Plain.handle(job, word='y')
    assert (status(job), job.data, job.attempt) == ('completed', {'word': 'y'}, 2)


@pytest.mark.parametrize('how', ['open', 'broken', 'swallowed', 'closed'])
def test_what_run_leaves_of_its_connection_does_not_prevent_the_end(work, how):
    job = Breaking.enqueue(how=how)
    work()
    assert status(job) == ('errored' if how == 'broken' else 'completed')
    assert not connection.in_atomic_block
    assert Thing.objects.filter(name='lost').count() == 0


def test_notifications_are_kept():
    assert Plain.enqueue().notifications == JobNotificationChoices.NOTIFICATION_ALWAYS
    assert Plain.enqueue(notifications='never').notifications == 'never'


class InATestCaseTest(TestCase):
    """As plugins test: within a transaction."""

    def test_immediate(self):
        job = Talking.enqueue(immediate=True)
        self.assertEqual(job.status, JobStatusChoices.STATUS_COMPLETED)
        self.assertEqual(job.log_entries[0]['message'], 'line 1 of 4')

    def test_immediate_that_breaks_the_transaction_leaves_it_usable(self):
        class Broken(JobRunner):
            def run(self):
                Thing.objects.create(name='kept?')
                with connection.cursor() as cursor:
                    cursor.execute('SELECT nonsense FROM nowhere')

        job = Broken.enqueue(immediate=True)
        self.assertEqual(status(job), 'errored')
        self.assertIn('nowhere', job.error)
        self.assertEqual(Job.objects.count(), 1)

    def test_immediate_that_hides_a_broken_transaction_leaves_it_usable(self):
        job = Breaking.enqueue(immediate=True, how='swallowed')
        self.assertIn(status(job), JobStatusChoices.TERMINAL_STATE_CHOICES)
        Thing.objects.create(name='after')
        self.assertEqual([thing.name for thing in Thing.objects.all()], ['after'])

    def test_immediate_that_fails_keeps_what_it_has_written(self):
        class Writing(JobRunner):
            def run(self):
                Thing.objects.create(name='kept')
                raise JobFailed('after writing')

        Writing.enqueue(immediate=True)
        self.assertTrue(Thing.objects.filter(name='kept').exists())

    def test_jobs_are_delivered_when_commit_callbacks_run(self):
        with self.captureOnCommitCallbacks(execute=True):
            job = Plain.enqueue()
            self.assertEqual(ids_in_rq(), [])
        self.assertEqual(ids_in_rq(), [str(job.job_id)])

    def test_a_plugin_may_run_the_worker_within_its_test(self):
        with self.captureOnCommitCallbacks(execute=True):
            good, bad = Plain.enqueue(word='x'), Erring.enqueue()
        SimpleWorker([delivery.queue('default')], connection=delivery.queue('default').connection).work(burst=True)
        self.assertEqual((status(good), good.data), ('completed', {'word': 'x'}))
        self.assertEqual(status(bad), 'errored')

    def test_async_false_runs_inline_when_commit_callbacks_run(self):
        config = {'default': {'HOST': '127.0.0.1', 'PORT': 1, 'DB': 0, 'ASYNC': False}}
        with override_settings(RQ_QUEUES=config), self.captureOnCommitCallbacks(execute=True):
            job = Plain.enqueue()
        self.assertEqual(status(job), 'completed')


def test_a_saved_model_may_enqueue_in_its_own_transaction(work):
    with transaction.atomic():
        thing = Thing.objects.create()
        job = Plain.enqueue(instance=thing, thing=thing)
    work()
    assert (status(job), job.data) == ('completed', {'thing': 'thing'})


def test_a_rolled_back_savepoint_takes_its_job_along():
    with transaction.atomic():
        kept = Plain.enqueue()
        with pytest.raises(RuntimeError), transaction.atomic():
            Plain.enqueue()
            raise RuntimeError
    assert ids_in_rq() == [str(kept.job_id)]


def test_the_instance_may_be_positional():
    thing = Thing.objects.create()
    assert Plain.enqueue(thing).object == thing


def test_a_time_that_is_past_means_now(work):
    job = Plain.enqueue(schedule_at=timezone.now() - timedelta(days=1))
    work()
    assert status(job) == 'completed'


def test_a_scheduled_job_waits_in_the_database_and_not_in_rq(work):
    job = Plain.enqueue(schedule_at=timezone.now() + timedelta(hours=1))
    assert (job.status, job.deliveries) == ('scheduled', 0)
    queue = delivery.queue('default')
    assert queue.job_ids == queue.scheduled_job_registry.get_job_ids() == []
    work()
    assert status(job) == 'scheduled'


def test_p2_a_second_delivery_of_the_same_job_does_nothing(work):
    job = Plain.enqueue()
    queue = delivery.queue('default')
    queue.enqueue_call(delivery.ENTRY, args=(str(job.job_id),), job_id='again')
    work()
    assert status(job) == 'completed'
    assert job.attempt == 1
    assert Trace.objects.filter(what='start').count() == 1


def test_p2_the_ids_of_later_deliveries_are_numbered(work):
    job = Plain.enqueue()
    delivery.queue('default').empty()
    Job.objects.update(due=job.due - 3_600_000)
    assert recovery.redeliver_vanished() == 1
    assert ids_in_rq() == [f'{job.job_id}-2']
    work()
    assert status(job) == 'completed'


def test_lazy_objects_are_taken_for_what_they_stand_for(django_user_model):
    user, thing = django_user_model.objects.create(username='u'), Thing.objects.create()
    lazy_user, lazy_thing = SimpleLazyObject(lambda: user), SimpleLazyObject(lambda: thing)
    job = Plain.enqueue(instance=lazy_thing, user=lazy_user, who=lazy_user)
    found = Job.objects.get(pk=job.pk)
    assert (found.object, found.user, found.get_arguments()) == (thing, user, {'who': user})


def test_a_job_outlives_its_user(django_user_model, work):
    user = django_user_model.objects.create(username='u')
    job = Plain.enqueue(user=user, interval=10)
    user.delete()
    work()
    assert (status(job), job.user) == ('completed', None)
    assert Plain.get_jobs().waiting().get().user is None


def test_text_that_no_database_stores_is_made_storable():
    job = Plain.enqueue(name='a\x00b\ud800', description='c\x00', meta={'d': 'e\x00\ud800'})
    found = Job.objects.get(pk=job.pk)
    assert found.name == 'a\ufffdb\ufffd'
    assert (found.options['description'], found.options['meta']) == ('c\ufffd', {'d': 'e\ufffd\ufffd'})


def test_redis_silent_costs_well_under_a_second_once_and_nothing_after(caplog):
    """Packets that vanish: the port accepts, and nobody answers."""
    with socket.create_server(('127.0.0.1', 0)) as silent:
        server = {'default': {'HOST': '127.0.0.1', 'PORT': silent.getsockname()[1], 'DB': 0}}
        with override_settings(RQ_QUEUES=server):
            begin = time.monotonic()
            Plain.enqueue()
            first = time.monotonic() - begin
            begin = time.monotonic()
            for _ in range(5):
                Plain.enqueue()
            others = time.monotonic() - begin
    assert first < 1
    assert others < 1  # five times the time limit of an answer would be more
    assert Job.objects.filter(status='pending').count() == 6


def test_a_fake_redis_will_do_in_a_test(monkeypatch):
    server = fakeredis.FakeStrictRedis()
    monkeypatch.setattr('django_rq.connection_utils.get_redis_connection', lambda *args, **kwargs: server)
    job = Plain.enqueue()
    assert delivery.queue('default').connection is server
    SimpleWorker([delivery.queue('default')], connection=server).work(burst=True)
    assert status(job) == 'completed'


def test_a_missing_default_queue_is_said_at_the_call():
    with override_settings(RQ_QUEUES={}), pytest.raises(ImproperlyConfigured, match="'default'"):
        Plain.enqueue()
    assert not Job.objects.exists()


def test_meta_name_is_optional_and_a_property_of_the_class():
    class Unnamed(JobRunner):
        def run(self):
            pass

    class Renamed(Unnamed):
        class Meta:
            name = 'For people'

    assert (Unnamed.name, Renamed.name) == ('Unnamed', 'For people')
    assert Renamed.enqueue(immediate=True).name == 'For people'
    assert Renamed(MagicMock()).name == 'For people'


def test_an_asynchronous_caller_has_calls_of_its_own():
    async def view():
        return await Plain.aenqueue(word='x'), await Plain.aenqueue_once(interval=10)

    job, once = async_to_sync(view)()
    assert (job.status, once.interval) == ('pending', 10)
    assert Job.objects.count() == 2


def test_an_exception_that_cannot_be_shown_is_an_end_too():
    class Unshown(Exception):
        def __repr__(self):
            raise RuntimeError('no repr')

        __str__ = __repr__

    class Raising(JobRunner):
        def run(self):
            raise Unshown

    job = Raising.enqueue(immediate=True)
    assert status(job) == 'errored'
    assert job.error


def test_the_error_that_run_sets_is_kept_by_a_completed_job():
    class Partly(JobRunner):
        def run(self, fail):
            self.job.error = 'half of it'
            if fail:
                raise RuntimeError('all of it')

    assert Partly.enqueue(immediate=True, fail=False).error == 'half of it'
    assert Partly.enqueue(immediate=True, fail=True).error == "RuntimeError('all of it')"


@pytest.mark.parametrize('enqueue', ['handle', 'function'])
def test_immediate_passes_positional_and_keyword_arguments_alike(enqueue):
    target = Plain.handle if enqueue == 'handle' else plain_function
    job = Job.enqueue(target, immediate=True, word='x')
    assert (job.status, job.data) == ('completed', {'word': 'x'})


def test_p9_no_arguments_reach_redis_by_the_description():
    job = Plain.enqueue(secret='password')
    stored = delivery.queue('default').fetch_job(str(job.job_id)).to_dict()
    assert 'password' not in str(stored)

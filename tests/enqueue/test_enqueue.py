"""`enqueue()`: what it stores, and when RQ gets to know."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from netbox_jobs.broker import delivery
from netbox_jobs.choices import JobNotificationChoices
from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job
from tests.app.jobs import (
    Erring,
    Failing,
    Overriding,
    Plain,
    Talking,
    failing_function,
    plain_function,
)
from tests.app.models import Thing, Trace
from tests.enqueue.delivered import ids_in_rq
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_redis_is_told_the_id_alone():
    job = Plain.enqueue(secret='password')
    found = delivery.queue('default').fetch_job(str(job.job_id))
    assert (found.args, found.kwargs) == ((str(job.job_id),), {})


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
    # On MariaDB, the claim is SET STATEMENT ... FOR UPDATE, and does not return the row.
    sql = [query['sql'].split(' FOR ')[-1].split()[0] for query in captured.captured_queries]
    read = ['SELECT'] if connection.vendor == 'mysql' else []
    assert [word for word in sql if word not in ('BEGIN', 'COMMIT', 'SET')] == ['UPDATE', *read, 'UPDATE']


def test_an_anonymous_user_is_no_user():
    assert Plain.enqueue(user=AnonymousUser()).user is None


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


def test_notifications_are_kept():
    assert Plain.enqueue().notifications == JobNotificationChoices.NOTIFICATION_ALWAYS
    assert Plain.enqueue(notifications='never').notifications == 'never'


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


def test_an_asynchronous_caller_has_calls_of_its_own():
    async def view():
        return await Plain.aenqueue(word='x'), await Plain.aenqueue_once(interval=10)

    job, once = async_to_sync(view)()
    assert (job.status, once.interval) == ('pending', 10)
    assert Job.objects.count() == 2


def test_p9_no_arguments_reach_redis_by_the_description():
    job = Plain.enqueue(secret='password')
    stored = delivery.queue('default').fetch_job(str(job.job_id)).to_dict()
    assert 'password' not in str(stored)

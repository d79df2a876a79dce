"""Jobs about an object that is not saved yet: bound when it is saved, delivered after that, canceled if it never is."""

import asyncio
import copy
import gc
import signal
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.core.signals import request_finished, request_started
from django.db import IntegrityError, connection, transaction
from django.db.models.signals import post_save
from django.utils import timezone

from netbox_jobs.broker import delivery
from netbox_jobs.choices import JobStatusChoices
from netbox_jobs.enqueue import unsaved
from netbox_jobs.exceptions import InstanceGone
from netbox_jobs.jobs import JobRunner
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, Schedule
from tests.app import views
from tests.app.jobs import Failing, Plain
from tests.app.models import ChildThing, ProxyThing, TextThing, Thing, UUIDThing
from tests.processes import environment, status, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


class Wrapped(JobRunner):
    """A plugin's runner with an `enqueue()` of its own."""

    def run(self, **kwargs):
        pass

    @classmethod
    def enqueue(cls, *args, **kwargs):
        kwargs.setdefault('word', 'added')
        return super().enqueue(*args, **kwargs)


MAKE = [
    pytest.param(lambda: Thing(), id='integer'),
    pytest.param(lambda: UUIDThing(), id='UUID'),
    pytest.param(lambda: TextThing(code='ab c'), id='text'),
]
CALLS = [
    pytest.param(lambda **given: Plain.enqueue(**given), id='enqueue'),
    pytest.param(lambda **given: Plain.enqueue_once(**given), id='enqueue_once'),
    pytest.param(lambda **given: Plain.enqueue_many([given])[0], id='enqueue_many'),
    pytest.param(lambda **given: Wrapped.enqueue(**given), id='overridden enqueue'),
    pytest.param(lambda **given: Wrapped.enqueue_once(**given), id='enqueue_once by an overridden enqueue'),
    pytest.param(lambda **given: Wrapped.enqueue_many([given])[0], id='enqueue_many by an overridden enqueue'),
]


def delivered():
    return delivery.queue('default').job_ids


def row(job):
    return Job.objects.get(pk=job.pk)


def assert_bound(job, thing):
    """Both the row and the object that the call has returned are about the thing, and delivered once."""
    found = row(job)
    assert (found.object, found.status) == (thing, 'pending')
    assert found.object_id == str(thing.pk)
    assert delivered() == [found.delivery_id]
    for field in ('object_id', 'object_db', 'status', 'due', 'deliveries', 'delivery_id', 'schedule_id', 'slot'):
        assert getattr(job, field) == getattr(found, field), field
    assert job.object is thing
    assert list(thing.jobs.all()) == [job]


def assert_canceled(job, caplog, words='was not saved by the end of the transaction'):
    found = row(job)
    assert found.status == 'canceled'
    assert words in found.error
    assert f'Job {job.pk} (' in caplog.text
    assert words in caplog.text
    assert delivered() == []
    assert not Schedule.objects.filter(pk=job.schedule_id or 0).exists()
    assert not unsaved.unbound().exists()


@pytest.mark.parametrize('interval', [None, 10])
@pytest.mark.parametrize('call', CALLS)
@pytest.mark.parametrize('make', MAKE)
def test_without_a_transaction_the_job_is_bound_when_its_object_is_saved(make, call, interval, work):
    thing = make()
    given = {} if interval is None else {'interval': interval}
    job = call(instance=thing, **given)
    assert job.object is None  # read before it is saved, which must not be remembered
    assert delivered() == []
    work()
    assert status(job) == 'pending'
    thing.save()
    assert_bound(job, thing)
    work()
    assert status(job) == 'completed'
    assert row(job).object == thing


@pytest.mark.parametrize('call', CALLS)
@pytest.mark.parametrize('make', MAKE)
def test_within_a_transaction_the_job_is_delivered_after_the_commit(make, call):
    with transaction.atomic():
        thing = make()
        job = call(instance=thing)
        thing.save()
        assert row(job).object == thing
        assert delivered() == []
    assert_bound(job, thing)


@pytest.mark.parametrize('call', CALLS)
def test_never_saved_by_the_end_of_the_transaction_no_job_runs_and_the_log_says_so(call, caplog, work):
    with transaction.atomic():
        thing = Thing()
        job = call(instance=thing, interval=10)
    assert_canceled(job, caplog)
    work()
    thing.save()  # too late
    assert status(job) == 'canceled'
    assert delivered() == []


def test_the_schedule_has_the_key_of_the_object(work):
    thing = Thing()
    job = Plain.enqueue_once(instance=thing, interval=10)
    thing.save()
    assert Plain.enqueue_once(instance=Thing.objects.get(), interval=20).pk == job.pk
    schedule = Schedule.objects.get()
    assert (schedule.object, schedule.interval) == (thing, 20)
    work()
    after = Job.objects.get(predecessor=job)
    assert (after.object, after.interval, after.schedule_id) == (thing, 20, schedule.pk)


def test_the_pattern_of_netboxs_documentation(monkeypatch, work):
    save = Thing.save

    def save_with_schedule(self, *args, **kwargs):
        Plain.enqueue_once(instance=self, interval=60)
        return save(self, *args, **kwargs)

    monkeypatch.setattr(Thing, 'save', save_with_schedule)
    thing = Thing.objects.create()
    thing.save()
    thing.save()
    job = Job.objects.get()
    assert (job.object, job.interval) == (thing, 60)
    assert Schedule.objects.count() == 1
    work()
    assert status(job) == 'completed'
    with pytest.raises(IntegrityError):
        Thing.objects.create(pk=thing.pk)
    assert Job.objects.count() == 2  # the first, and its successor


# Savepoints and rollbacks


@pytest.mark.parametrize('call', CALLS)
def test_a_savepoint_that_rolls_back_the_call_takes_the_job_along(call):
    with transaction.atomic():
        thing = Thing()
        with transaction.atomic():
            gone = call(instance=thing, interval=10)
            transaction.set_rollback(True)
        job = call(instance=thing, interval=10)  # SQLite gives it the primary key of the other one
        assert job.job_id != gone.job_id
        thing.save()
    assert_bound(job, thing)
    assert Job.objects.count() == 1


@pytest.mark.parametrize('call', CALLS)
@pytest.mark.parametrize('make', MAKE)
def test_a_savepoint_that_rolls_back_the_save_leaves_the_job_waiting_for_the_next(call, make):
    with transaction.atomic():
        thing = make()
        job = call(instance=thing, interval=10)
        with transaction.atomic():
            thing.save()
            transaction.set_rollback(True)
        assert row(job).object_id is None
        thing.save()
    assert_bound(job, thing)


@pytest.mark.parametrize('make', MAKE)
def test_a_savepoint_that_rolls_back_the_only_save_cancels_the_job(make, caplog):
    with transaction.atomic():
        thing = make()
        job = Plain.enqueue_once(instance=thing, interval=10)
        with transaction.atomic():
            thing.save()
            transaction.set_rollback(True)
    assert_canceled(job, caplog)


def test_after_a_rolled_back_save_a_second_call_is_still_one_job():
    with transaction.atomic():
        thing = Thing()
        first = Plain.enqueue_once(instance=thing, interval=10)
        with transaction.atomic():
            thing.save()
            transaction.set_rollback(True)
        second = Plain.enqueue_once(instance=thing, interval=20)  # its key is no longer None
        thing.save()
    waiting = Plain.get_jobs(thing).exclude(status='canceled')
    assert [job.pk for job in waiting] == [first.pk]
    assert (status(second), Schedule.objects.count()) == ('canceled', 1)
    assert f'Job {first.pk} replaces it' in row(second).error
    assert delivered() == [row(first).delivery_id]


@pytest.mark.parametrize('call', CALLS)
def test_a_rolled_back_transaction_leaves_nothing(call, work):
    thing = Thing()
    with transaction.atomic():
        call(instance=thing, interval=10)
        thing.save()
        transaction.set_rollback(True)
    assert not Job.objects.exists()
    assert not Schedule.objects.exists()
    assert delivered() == []
    other = Thing()
    waiting = call(instance=other, interval=10)  # SQLite gives it the primary key of the other one
    thing.save()
    assert row(waiting).object_id is None
    other.save()
    assert_bound(waiting, other)


# More than one call, job or object


@pytest.mark.parametrize('runner', [Plain, Wrapped])
@pytest.mark.parametrize('atomic', [False, True])
def test_enqueue_once_twice_for_one_unsaved_object_is_one_job_updated(runner, atomic):
    def both():
        thing = Thing()
        first = runner.enqueue_once(instance=thing, interval=10, word='x')
        second = runner.enqueue_once(instance=thing, interval=20, word='y', queue_name='default')
        thing.save()
        return thing, first, second

    if atomic:
        with transaction.atomic():
            thing, first, second = both()
    else:
        thing, first, second = both()
    assert first.pk == second.pk
    assert (row(first).interval, row(first).get_arguments()['word']) == (20, 'y')
    assert Schedule.objects.get().interval == 20
    assert_bound(first, thing)
    assert_bound(second, thing)


def test_two_unsaved_objects_have_jobs_of_their_own(work):
    one, other = Thing(), Thing()
    first, second = Plain.enqueue_once(instance=one, interval=5), Plain.enqueue_once(instance=other, interval=5)
    assert first.pk != second.pk
    assert list(Plain.get_jobs(one)) == [first]
    other.save()
    one.save()
    work()
    assert [row(job).object for job in (first, second)] == [one, other]
    assert [status(first), status(second)] == ['completed', 'completed']


def test_several_jobs_of_several_runners_wait_for_one_object(work):
    thing = Thing()
    jobs = [Plain.enqueue(instance=thing), Failing.enqueue(instance=thing), Plain.enqueue_once(instance=thing)]
    jobs += Plain.enqueue_many([{'instance': thing}, {'instance': thing, 'interval': 5}])
    assert set(Plain.get_jobs(thing)) == set(jobs) - {jobs[1]}
    thing.save()
    assert {row(job).object for job in jobs} == {thing}
    assert sorted(delivered()) == sorted(str(job.job_id) for job in jobs)


def test_a_second_save_changes_nothing(work):
    thing = Thing()
    job = Plain.enqueue_once(instance=thing, interval=10)
    thing.save()
    thing.save()
    assert_bound(job, thing)


def test_the_waiting_job_is_ended_with_its_schedule_before_the_save():
    thing = Thing()
    Plain.enqueue_once(instance=thing, interval=10)
    assert Plain.end_schedule(thing)
    assert not Plain.end_schedule(thing)
    assert not Job.objects.exists()
    assert not Plain.end_schedule(Thing())
    thing.save()
    assert not Job.objects.exists()


@pytest.mark.parametrize('how', ['cancel', 'delete', 'stop'])
def test_p7_a_job_that_is_canceled_or_deleted_before_the_save_never_runs(how, work):
    thing = Thing()
    job = Plain.enqueue_once(instance=thing)
    getattr(row(job), how)()
    thing.save()
    work()
    assert [found.status for found in Job.objects.all()] == ([] if how == 'delete' else ['canceled'])
    assert [found.object for found in Job.objects.all()] == ([] if how == 'delete' else [thing])
    assert delivered() == []


def test_the_waiting_job_is_not_run_by_recovery_nor_by_hand(work):
    thing = Thing()
    job = Plain.enqueue_once(instance=thing, interval=10)
    Job.objects.update(created=timezone.now() - timedelta(minutes=50))
    recovery.deliver_due()
    recovery.settle_dependents()
    recovery.redeliver_vanished()
    row(job).schedule.run_now()
    row(job).schedule.pause()
    row(job).schedule.resume()
    row(job).schedule.change(interval=30)
    work()
    assert status(job) == 'pending'
    assert delivered() == []


# Times and dependencies


def test_a_time_in_the_future_is_kept(work):
    when = timezone.now() + timedelta(hours=1)
    thing = Thing()
    job = Plain.enqueue_once(instance=thing, schedule_at=when, interval=10)
    thing.save()
    assert (row(job).status, row(job).scheduled, job.status) == ('scheduled', when, 'scheduled')
    assert delivered() == []


def test_a_cron_expression_is_kept():
    thing = Thing()
    job = Plain.enqueue_once(instance=thing, cron='0 3 * * *', timezone='UTC')
    thing.save()
    assert row(job).status == 'scheduled'
    assert row(job).scheduled.hour == 3
    assert Schedule.objects.get().cron == '0 3 * * *'


def test_it_may_depend_on_other_jobs_as_well(work):
    thing, before = Thing(), Plain.enqueue()
    job = Plain.enqueue(instance=thing, depends_on=before)
    work()
    assert (status(before), status(job)) == ('completed', 'pending')
    thing.save()
    assert_bound(job, thing)


def test_saved_before_what_it_depends_on_has_completed(work):
    thing, before = Thing(), Plain.enqueue()
    job = Plain.enqueue(instance=thing, depends_on=before)
    thing.save()
    assert delivered() == [str(before.job_id)]
    work()
    assert (status(before), status(job), row(job).object) == ('completed', 'completed', thing)


def test_what_it_depends_on_has_failed(work):
    thing, before = Thing(), Failing.enqueue()
    job = Plain.enqueue(instance=thing, depends_on=before)
    work()
    thing.save()
    assert status(job) == 'errored'
    assert 'which ended as failed' in row(job).error


def test_other_jobs_may_depend_on_it(work):
    thing = Thing()
    job = Plain.enqueue(instance=thing)
    after = Plain.enqueue(depends_on=job)
    thing.save()
    work()
    assert (status(job), status(after)) == ('completed', 'completed')


def test_a_synchronous_queue_runs_it_after_the_commit_of_the_save(settings):
    settings.RQ_QUEUES = {name: {**value, 'ASYNC': False} for name, value in settings.RQ_QUEUES.items()}
    with transaction.atomic():
        thing = Thing()
        job = Plain.enqueue(instance=thing)
        thing.save()
        assert status(job) == 'pending'
    assert status(job) == 'completed'


# Other ways to save


@pytest.mark.parametrize('make', MAKE)
@pytest.mark.parametrize('way', ['bulk_create', 'muted', 'raw'])
def test_an_object_that_is_saved_without_a_signal_is_bound_at_the_end_of_the_transaction(make, way, monkeypatch):
    thing = make()
    with transaction.atomic():
        job = Plain.enqueue_once(instance=thing, interval=10)
        if way == 'bulk_create':
            type(thing).objects.bulk_create([thing])
        elif way == 'muted':
            with monkeypatch.context() as patch:
                patch.setattr(post_save, 'send', lambda *args, **kwargs: [])
                thing.save()
        else:
            thing.save_base(raw=True)
    if thing.pk is None:
        pytest.fail('this database does not return the keys of rows')
    assert_bound(job, thing)


def test_another_object_of_the_same_row_is_saved():
    thing = UUIDThing()
    with transaction.atomic():
        job = Plain.enqueue_once(instance=thing, interval=10)
        UUIDThing(id=thing.pk).save()
    assert row(job).object == UUIDThing.objects.get()
    assert delivered() == [row(job).delivery_id]


def test_the_object_is_gone_but_its_row_is_there():
    thing = UUIDThing()
    key = thing.pk
    with transaction.atomic():
        job = Plain.enqueue_once(instance=thing, interval=10)
        del thing
        gc.collect()
        UUIDThing.objects.create(id=key)
    assert row(job).object == UUIDThing.objects.get()


def test_a_copy_of_the_object_is_another_one(caplog):
    with transaction.atomic():
        thing = Thing()
        job = Plain.enqueue(instance=thing)
        copy.copy(thing).save()
    assert_canceled(job, caplog)


@pytest.mark.parametrize('make', [lambda: Thing(pk=7), lambda: TextThing(code='c')])
def test_an_object_with_the_key_of_a_row_is_not_unsaved(make):
    make().save()
    again = make()  # its save() updates the row
    first = Plain.enqueue_once(instance=again, interval=10)
    assert delivered() == [row(first).delivery_id]
    assert row(first).object == again
    again.save()
    assert Plain.enqueue_once(instance=make()).pk == first.pk
    assert Plain.get_jobs(make()).get() == first
    assert Plain.end_schedule(make())


def test_two_unsaved_objects_of_one_row_are_one_schedule(work):
    one = UUIDThing()
    other = UUIDThing(id=one.pk)
    with transaction.atomic():
        first = Plain.enqueue_once(instance=one, interval=10)
        second = Plain.enqueue_once(instance=other, interval=20)
        one.save()
    assert (status(first), status(second)) == ('canceled', 'pending')
    schedule = Schedule.objects.get()
    assert (schedule.object, schedule.interval) == (one, 20)
    work()
    assert status(second) == 'completed'
    assert Plain.get_jobs(one).filter(status='scheduled').count() == 1


@pytest.mark.parametrize('kind', ['proxy', 'child'])
def test_models_that_derive_from_others(kind, work):
    thing = {'proxy': ProxyThing, 'child': ChildThing}[kind]()
    job = Plain.enqueue_once(instance=thing, interval=10)
    thing.save()
    assert type(row(job).object) is type(thing)
    assert_bound(job, thing)
    work()
    assert status(job) == 'completed'
    assert Plain.enqueue_once(instance=thing).pk == Job.objects.get(predecessor=job).pk


def test_a_child_of_a_row_that_exists():
    parent = Thing.objects.create()
    child = ChildThing(thing_ptr=parent)
    job = Plain.enqueue_once(instance=child)
    assert delivered() == []
    child.save()
    assert row(job).object == child


# Threads, requests, processes


def test_another_thread_may_save_the_object():
    thing = Thing()
    job = Plain.enqueue_once(instance=thing, interval=10)
    failures = []

    def save():
        try:
            thing.save()
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=save)
    thread.start()
    thread.join()
    assert not failures
    assert_bound(job, thing)


@pytest.fixture
def view(settings):
    """A view that enqueues for a new object, which it saves or not."""
    settings.ROOT_URLCONF = 'tests.app.views'
    views.kept.clear()
    return views


@pytest.mark.parametrize('atomic_requests', [False, True])
@pytest.mark.parametrize('keep', [False, True])
def test_a_request_that_saves_the_object(client, view, settings, atomic_requests, keep, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, 'ATOMIC_REQUESTS', atomic_requests)
    answer = client.get('/enqueue/', {'save': '1', 'keep': '1' if keep else ''})
    job = Job.objects.get(pk=int(answer.content))
    assert job.object == Thing.objects.get()
    assert delivered() == [job.delivery_id]


@pytest.mark.parametrize('atomic_requests', [False, True])
@pytest.mark.parametrize('keep', [False, True])
def test_a_request_that_never_saves_it(client, view, atomic_requests, keep, monkeypatch, caplog):
    monkeypatch.setitem(connection.settings_dict, 'ATOMIC_REQUESTS', atomic_requests)
    answer = client.get('/enqueue/', {'keep': '1' if keep else ''})
    job = Job.objects.get(pk=int(answer.content))
    end = 'transaction' if atomic_requests else 'request'
    assert_canceled(job, caplog, f'was not saved by the end of the {end}')


@pytest.mark.parametrize('atomic_requests', [False, True])
def test_a_request_that_fails(client, view, atomic_requests, monkeypatch, caplog):
    monkeypatch.setitem(connection.settings_dict, 'ATOMIC_REQUESTS', atomic_requests)
    client.raise_request_exception = False
    assert client.get('/enqueue/', {'fail': '1'}).status_code == 500
    assert [job.status for job in Job.objects.all()] == ([] if atomic_requests else ['canceled'])
    assert delivered() == []


def test_a_request_does_not_end_what_the_code_around_it_waits_for(client, view):
    thing = Thing()
    job = Plain.enqueue(instance=thing)
    client.get('/enqueue/', {'save': '1'})
    delivery.queue('default').empty()
    assert status(job) == 'pending'
    thing.save()
    assert_bound(job, thing)


def test_an_asynchronous_request_that_never_saves_it(caplog):
    """Django runs it in a task, so its end finds nothing in its context but knows that the object is gone."""

    async def view():
        return await Plain.aenqueue(instance=Thing())

    async def handle():
        await request_started.asend(sender=None)
        job = await asyncio.create_task(view())
        await request_finished.asend(sender=None)
        return job

    job = async_to_sync(handle)()
    assert_canceled(job, caplog, 'was not saved by the end of the request')


def test_an_asynchronous_caller_saves_it():
    async def call():
        thing = Thing()
        job = await Plain.aenqueue_once(instance=thing, interval=10)
        await asyncio.create_task(thing.asave())
        return thing, job

    thing, job = async_to_sync(call)()
    assert_bound(job, thing)


def test_without_a_request_recovery_cancels_it_after_an_hour(caplog):
    """Also when its process was killed between the two writes."""
    thing = Thing()
    job = Plain.enqueue_once(instance=thing, interval=10)
    recovery.settle_dependents()
    assert status(job) == 'pending'
    Job.objects.update(created=timezone.now() - timedelta(minutes=61))
    recovery.settle_dependents()
    assert_canceled(job, caplog, 'its object was not saved')
    thing.save()
    assert status(job) == 'canceled'


def test_recovery_leaves_a_job_alone_that_is_bound_in_this_very_moment():
    thing = Thing()
    job = Plain.enqueue_once(instance=thing, interval=10)
    seen = unsaved.unbound().get()
    thing.save()
    unsaved.abandon(seen, 'its object was not saved')
    assert_bound(job, thing)
    assert Schedule.objects.count() == 1


def test_a_canceled_one_cannot_be_retried_without_its_object():
    with transaction.atomic():
        job = Plain.enqueue(instance=Thing())
    with pytest.raises(InstanceGone):
        row(job).retry()


def test_nothing_is_remembered_of_an_object_that_is_saved_or_gone():
    before = len(unsaved._entries)
    saved, gone = Thing(), Thing()
    Plain.enqueue(instance=saved)
    Plain.enqueue(instance=gone)
    with transaction.atomic():
        third = Thing()
        Plain.enqueue(instance=third)
    assert len(unsaved._entries) == before + 2
    saved.save()
    del gone
    gc.collect()
    assert len(unsaved._entries) == before


def test_p8_what_is_wrong_with_a_call_is_raised_before_anything_is_written():
    for wrong in ({'interval': 0}, {'queue_name': 'nowhere'}, {'immediate': True}):
        with pytest.raises(ValueError):
            Plain.enqueue(instance=Thing(), **wrong)
    assert not Job.objects.exists()
    assert not Schedule.objects.exists()


@pytest.mark.process
def test_p1_a_worker_never_runs_it_before_its_object_is_saved(start_worker):
    start_worker()
    with transaction.atomic():
        inside = Thing()
        first = Plain.enqueue_once(instance=inside)
        inside.save()
        second = Plain.enqueue(instance=inside)
    outside = [UUIDThing() for _ in range(4)]
    others = [Plain.enqueue(instance=thing) for thing in outside]
    assert {status(job) for job in others} == {'pending'}
    for thing in outside:
        thing.save()
    jobs = (first, second, *others)
    wait_for(lambda: all(status(job) in JobStatusChoices.TERMINAL_STATE_CHOICES for job in jobs))
    for job in jobs:
        found = row(job)
        assert found.status == 'completed', found.error
        assert found.object is not None


KILLED = """
import os, signal
import django
django.setup()
from contextlib import nullcontext
from django.db import transaction
from tests.app.jobs import Plain
from tests.app.models import Thing
with transaction.atomic() if {atomic} else nullcontext():
    thing = Thing()
    Plain.enqueue_once(instance=thing, interval=10)
    os.kill(os.getpid(), signal.SIGKILL)
    thing.save()
"""


@pytest.mark.process
@pytest.mark.parametrize('atomic', [False, True])
def test_p1_a_process_is_killed_between_the_two_writes(atomic, caplog):
    killed = subprocess.run([sys.executable, '-c', KILLED.format(atomic=atomic)], env=environment(), timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert not Thing.objects.exists()
    if atomic:
        assert not Job.objects.exists()
        assert not Schedule.objects.exists()
        return
    job = Job.objects.get()
    recovery.settle_dependents()
    assert (status(job), delivered()) == ('pending', [])
    Job.objects.update(created=timezone.now() - timedelta(minutes=61))
    recovery.settle_dependents()
    assert_canceled(job, caplog, 'its object was not saved')

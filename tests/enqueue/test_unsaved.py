"""Jobs about an object that is not saved yet: bound when it is saved, delivered after that, canceled if it never is."""

import gc
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from netbox_jobs.enqueue import unsaved
from netbox_jobs.exceptions import InstanceGone
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Failing, Plain
from tests.app.models import Thing
from tests.enqueue.unsaved_objects import CALLS, MAKE, Wrapped, assert_bound, assert_canceled, delivered, row
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


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

"""Jobs about unsaved objects: savepoints and transactions that are rolled back."""

import pytest
from django.db import transaction

from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Plain
from tests.app.models import Thing
from tests.enqueue.unsaved_objects import CALLS, MAKE, assert_bound, assert_canceled, delivered, row
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


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

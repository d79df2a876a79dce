"""Jobs about unsaved objects: times, dependencies, and other ways to save."""

import copy
import gc
from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models.signals import post_save
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Failing, Plain
from tests.app.models import ChildThing, ProxyThing, TextThing, Thing, UUIDThing
from tests.enqueue.unsaved_objects import MAKE, assert_bound, assert_canceled, delivered, row
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_an_unsaved_object_within_a_lazy_one_is_bound_when_it_is_saved(work):
    thing = Thing()
    lazy = SimpleLazyObject(lambda: SimpleLazyObject(lambda: thing))
    job = Plain.enqueue_once(instance=lazy, interval=10)
    assert Plain.enqueue_once(instance=thing) == job and list(Plain.get_jobs(lazy)) == [job]
    lazy.save()
    assert_bound(job, thing)
    work()
    assert status(job) == 'completed'


def test_a_child_of_a_row_that_exists():
    parent = Thing.objects.create()
    child = ChildThing(thing_ptr=parent)
    job = Plain.enqueue_once(instance=child)
    assert delivered() == []
    child.save()
    assert row(job).object == child

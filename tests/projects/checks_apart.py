"""What must hold with jobs in a second database, requests in transactions, and queues on several Redis servers."""

from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connections, transaction
from django.utils import timezone

from netbox_jobs.broker import delivery
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Erring, Plain, Talking
from tests.app.models import TextThing, Thing, UUIDThing
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True, databases=['default', 'jobs'])

MAKE = [
    lambda: Thing.objects.create(),
    lambda: UUIDThing.objects.create(),
    lambda: TextThing.objects.create(code='a b'),
]


@pytest.fixture(autouse=True)
def clean_second_redis():
    delivery.queue('tests.app.bulk').connection.flushdb()


@pytest.mark.parametrize('make', MAKE)
def test_a_job_in_one_database_about_an_object_in_another(work, make):
    thing = make()
    job = Plain.enqueue(instance=thing, thing=thing)
    assert job._state.db == 'jobs'
    assert Job.objects.using('default').count() == 0
    work('default')
    assert status(job) == 'completed'
    assert Job.objects.get(pk=job.pk).object == thing
    assert list(Plain.get_jobs(thing)) == [job]
    assert Plain.enqueue_once(instance=thing, interval=10).pk == Plain.enqueue_once(instance=thing).pk


def test_the_reverse_relation_of_an_object_in_another_database(work):
    thing, other = Thing.objects.create(), Thing.objects.create()
    job = Plain.enqueue(instance=thing)
    assert list(thing.jobs.all()) == [job]
    assert not other.jobs.exists()


@pytest.mark.parametrize('make', MAKE)
def test_content_types_may_be_numbered_otherwise_in_the_other_database(work, make):
    ContentType.objects.using('jobs').filter(app_label='testapp')._raw_delete('jobs')
    ContentType.objects.using('jobs').bulk_create([ContentType(app_label='more', model=f'm{n}') for n in range(9)])
    ContentType.objects.clear_cache()
    try:
        thing, other = make(), Thing.objects.create()
        job = Plain.enqueue(instance=thing)
        work('default')
        assert job.object_type_id != ContentType.objects.using('default').get(model=thing._meta.model_name).pk
        assert Job.objects.get(pk=job.pk).object == thing
        assert (list(thing.jobs.all()), other.jobs.count()) == ([job], 0)
        assert list(type(thing).objects.prefetch_related('jobs').get(pk=thing.pk).jobs.all()) == [job]
        assert thing.jobs.create(name='by hand')._state.db == 'jobs'
    finally:
        ContentType.objects.using('jobs').filter(app_label='more')._raw_delete('jobs')
        ContentType.objects.clear_cache()


def test_the_user_of_a_job_is_in_another_database(work):
    user = User.objects.create_user('someone')
    job = Plain.enqueue(user=user, interval=10)
    work('default')
    after = Job.objects.get(predecessor=job)
    assert (Job.objects.get(pk=job.pk).user, after.user) == (user, user)
    user.delete()
    found = Job.objects.get(pk=after.pk)
    assert (found.user, found.user_id, found.schedule.user_id) == (None, None, None)


@pytest.mark.parametrize('make', MAKE)
def test_p7_deleting_an_object_deletes_its_jobs_in_the_other_database(make):
    thing, other = make(), Thing.objects.create()
    key = thing.pk
    Plain.enqueue_once(instance=thing, interval=10)
    kept = Plain.enqueue_once(instance=other, interval=10)
    with transaction.atomic():
        thing.delete()
        transaction.set_rollback(True)
    assert Job.objects.count() == 2
    type(thing).objects.filter(pk=key).delete()
    assert list(Job.objects.all()) == [kept]
    assert list(Schedule.objects.all()) == [kept.schedule]
    assert delivery.queue('default').job_ids == [kept.delivery_id]


def test_a_periodic_job_has_its_successor_beside_it(work):
    thing = Thing.objects.create()
    job = Plain.enqueue(instance=thing, interval=10, word='x')
    work('default')
    after = Job.objects.get(predecessor=job)
    assert (after.object, after.get_arguments()) == (thing, {'word': 'x'})
    assert Schedule.objects.using('jobs').count() == 1


def test_rq_sees_a_job_after_the_commit_of_the_jobs_database():
    with transaction.atomic(using='jobs'):
        Plain.enqueue()
        transaction.set_rollback(True, using='jobs')
    assert delivery.queue('default').job_ids == []
    assert not Job.objects.exists()


def test_a_request_that_fails_leaves_neither_its_object_nor_its_job(client, work):
    """ATOMIC_REQUESTS of both databases."""
    client.raise_request_exception = False
    assert client.get('/enqueue/', {'fail': '1'}).status_code == 500
    assert not Job.objects.exists()
    assert not Thing.objects.exists()
    assert delivery.queue('default').job_ids == []
    answer = client.get('/enqueue/', {'word': 'x'})
    assert answer.status_code == 200
    work('default')
    assert Job.objects.get(pk=int(answer.content)).data == {'word': 'x'}


def test_errors_and_logs_land_beside_the_job(work):
    bad, talking = Erring.enqueue(), Talking.enqueue(lines=2)
    work('default')
    assert (status(bad), status(talking)) == ('errored', 'completed')
    assert len(talking.log_entries) == 2
    with connections['default'].cursor() as cursor:
        cursor.execute('SELECT count(*) FROM netbox_jobs_joblogentry')
        assert cursor.fetchone()[0] == 0


def test_a_job_in_the_jobs_database_about_an_object_there():
    thing = Thing.objects.using('jobs').create()
    job = Plain.enqueue(instance=thing)
    found = Job.objects.get(pk=job.pk)
    assert found.object == thing
    assert found.object._state.db == 'jobs'


def test_queues_on_several_servers(work):
    here, there = Plain.enqueue(), Plain.enqueue(queue_name='tests.app.bulk')
    assert delivery.queue('default').job_ids == [str(here.job_id)]
    assert delivery.queue('tests.app.bulk').job_ids == [str(there.job_id)]
    Job.objects.update(due=here.due - 3_600_000)
    delivery.queue('tests.app.bulk').empty()
    assert recovery.redeliver_vanished() == 1
    work('default')
    work('tests.app.bulk')
    assert (status(here), status(there)) == ('completed', 'completed')


UNSAVED = [lambda: Thing(), lambda: UUIDThing(), lambda: TextThing(code='a b')]


@pytest.mark.parametrize('make', UNSAVED)
def test_without_a_transaction_a_job_about_an_unsaved_object_is_bound_by_its_save(work, make):
    thing = make()
    job = Plain.enqueue_once(instance=thing, interval=10)
    assert delivery.queue('default').job_ids == []
    thing.save()
    assert Plain.enqueue_once(instance=thing).pk == job.pk
    work('default')
    assert (status(job), Job.objects.get(pk=job.pk).object) == ('completed', thing)


@pytest.mark.parametrize('outer', [['default'], ['jobs'], ['default', 'jobs'], ['jobs', 'default']])
@pytest.mark.parametrize('make', UNSAVED)
def test_a_job_about_an_unsaved_object_is_delivered_once_both_are_committed(work, make, outer):
    with ExitStack() as transactions:
        for alias in outer:
            transactions.enter_context(transaction.atomic(using=alias))
        thing = make()
        job = Plain.enqueue_once(instance=thing, interval=10)
        thing.save()
        assert delivery.queue('default').job_ids == []
    assert delivery.queue('default').job_ids == [str(job.job_id)]
    assert (job.object, Job.objects.get(pk=job.pk).object) == (thing, thing)
    assert Plain.enqueue_once(instance=thing).pk == job.pk


@pytest.mark.parametrize('make', UNSAVED)
def test_an_object_whose_transaction_rolls_back_has_no_job_that_runs(work, make, caplog):
    thing = make()
    with transaction.atomic(using='default'):
        job = Plain.enqueue_once(instance=thing, interval=10)
        thing.save()
        transaction.set_rollback(True, using='default')
    assert (status(job), delivery.queue('default').job_ids) == ('pending', [])
    Job.objects.update(created=timezone.now() - timedelta(minutes=61))
    recovery.settle_dependents()
    assert status(job) == 'canceled'
    assert 'its object was not saved' in caplog.text
    assert not Schedule.objects.exists()


@pytest.mark.parametrize('alias', ['default', 'jobs'])
def test_an_object_that_is_never_saved_by_the_end_of_either_transaction_has_no_job_that_runs(alias, caplog):
    with transaction.atomic(using=alias):
        job = Plain.enqueue_once(instance=Thing(), interval=10)
    assert status(job) == 'canceled'
    assert 'was not saved by the end of the transaction' in caplog.text


@pytest.mark.parametrize('saved', [False, True])
def test_a_request_in_two_transactions_enqueues_for_an_unsaved_object(client, work, saved):
    answer = client.get('/unsaved/', {'save': '1'} if saved else {})
    job = Job.objects.get(pk=int(answer.content))
    work('default')
    assert (status(job), job.object) == (('completed', Thing.objects.get()) if saved else ('canceled', None))

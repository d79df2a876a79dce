"""What must hold where a router reads from a replica: an object is one object, and the primary decides."""

import pytest
from django.db import connections

from netbox_jobs.core import arguments
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Plain, Talking
from tests.app.models import TextThing, Thing, UUIDThing
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True, databases=['default', 'replica'])

MAKE = [Thing, UUIDThing, TextThing]


@pytest.fixture
def primary_decides():
    """Nothing is written to the replica, and no row of ours is read there: it may be seconds behind."""

    def refuse(execute, sql, *args):
        assert sql.lstrip().upper().startswith(('SELECT', 'SET SESSION')), f'written to the replica: {sql}'
        assert 'netbox_jobs_' not in sql, f'decided by the replica: {sql}'
        return execute(sql, *args)

    with connections['replica'].execute_wrapper(refuse):
        yield


def both(model):
    """An object as the replica has it, and as the primary has it."""
    made = model.objects.create()
    read, written = model.objects.get(pk=made.pk), model.objects.using('default').get(pk=made.pk)
    assert (read._state.db, written._state.db) == ('replica', 'default')
    return read, written


@pytest.mark.parametrize('model', MAKE)
def test_an_object_has_one_schedule_whichever_replica_it_was_read_from(model, primary_decides):
    read, written = both(model)
    first = Plain.enqueue_once(instance=read, interval=10)
    assert Plain.enqueue_once(instance=written, interval=10).pk == first.pk
    assert Job.objects.using('default').count() == Schedule.objects.using('default').count() == 1
    assert Plain.end_schedule(written)
    assert Plain.enqueue_once(instance=written).pk == Plain.enqueue_once(instance=read).pk


@pytest.mark.parametrize('model', MAKE)
def test_an_object_finds_its_jobs_whichever_replica_it_was_read_from(model):
    read, written = both(model)
    jobs = {Plain.enqueue(instance=read), Plain.enqueue(instance=written)}
    for thing in (read, written):
        assert set(Plain.get_jobs(thing)) == set(thing.jobs.all()) == jobs
        assert set(model.objects.filter(jobs__in=list(jobs))) == {thing}
    read.delete()
    assert not Job.objects.using('default').exists()


@pytest.mark.parametrize('format', ['pickle', 'json'])
def test_an_object_among_the_arguments_is_fetched_from_where_it_is_written(format, settings, work, primary_decides):
    settings.NETBOX_JOBS = {'ARGUMENTS_FORMAT': format}
    read, written = both(Thing)
    assert arguments.encode({'thing': read}).payload == arguments.encode({'thing': written}).payload
    job = Plain.enqueue_once(thing=read)
    assert Plain.enqueue_once(thing=written).pk == job.pk
    assert job.get_arguments()['thing']._state.db == 'default'
    work()
    assert status(job) == 'completed'


def test_what_is_done_with_a_job_that_was_read_from_the_replica_is_decided_and_written_on_the_primary(work):
    thing = Thing.objects.create()
    made = [Talking.enqueue(instance=thing, interval=5) for _ in range(4)]
    jobs = [Job.objects.get(pk=job.pk) for job in made]
    schedule = Schedule.objects.get(pk=jobs[0].schedule_id)
    refuse = connections['replica'].execute_wrapper(_refuse_all)
    with refuse:
        assert schedule.pause() and schedule.resume() and schedule.run_now()
        schedule.change(interval=7)
        schedule.end()
        assert jobs[1].cancel()
        assert jobs[2].stop()
        jobs[3].start()
        jobs[3].data = {'a': 1}
        jobs[3].save()
        jobs[3].log_entries = [{'message': 'x'}]
        jobs[3].save()
        jobs[3].terminate()
        assert jobs[3].retry().object == thing
        assert [line['message'] for line in jobs[3].log_entries] == ['x']
        jobs[2].delete()
    assert status(made[1]) == 'canceled'
    assert status(made[3]) == 'completed'


def _refuse_all(execute, sql, *args):
    raise AssertionError(f'sent to the replica: {sql}')


def test_workers_run_periodic_jobs_about_objects_of_the_replica(work, primary_decides):
    read, written = both(Thing)
    job = Plain.enqueue_once(instance=read, interval=5, thing=read)
    work()
    assert status(job) == 'completed'
    assert Job.objects.using('default').waiting().get().object == written
    assert Plain.enqueue_once(instance=written).predecessor_id == job.pk

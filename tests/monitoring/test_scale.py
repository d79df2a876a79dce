"""What a database reads for each statement does not grow with the jobs that have ended: by its plans, not by time."""

import pytest
from django.db import connection
from django.db.models import CharField, F
from django.db.models.functions import Cast

from bench import rows
from bench.operations import Ground, operations
from bench.plans import FULL_SCAN, explained
from netbox_jobs.maintenance.chains import continue_chains
from netbox_jobs.models import Job, Schedule
from netbox_jobs.monitoring.schedules import schedule_states
from tests.app.jobs import Plain
from tests.app.models import Thing

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]

FINISHED = 20_000


def readings(finished):
    """Every operation's plans, by its name, on a table with so many finished jobs; half of them have log lines."""
    rows.fill('default', finished, share=2)
    ground = Ground('default', rows.delivered(['default']))
    found = {}
    for operation in operations(1_000):
        ground.restore()
        given = operation.prepare()
        with explained('default') as found[operation.name]:
            operation.act(given)
    return found


@pytest.mark.timeout(600)
def test_no_statement_reads_more_rows_because_of_the_jobs_that_have_ended():
    empty, full = readings(0), readings(FINISHED)
    rows.clear('default')
    assert all(full[name] for name in ('claim', 'terminate', 'obj.jobs')), 'no statement was seen'
    faults = []
    for operation in operations(1_000):
        name, bound = operation.name, operation.bound
        on_empty = max((plan.rows for plan in empty[name]), default=0)
        faults += [f'{name}: {fault}' for plan in full[name] for fault in plan.faults(on_empty, bound)]
    assert not faults, '\n' + '\n'.join(faults)


def test_the_list_of_schedules_reads_no_jobs_of_other_schedules():
    rows.fill('default', 2_000)
    resting, busy = Schedule.objects.bulk_create(
        Schedule(key=key, runner='x', name='x', queue_name='default') for key in ('resting', 'busy')
    )
    ended = list(Job.objects.ended().values_list('pk', flat=True))
    Job.objects.filter(pk__in=ended).update(schedule=busy)
    with explained('default') as plans:
        states = schedule_states(Schedule.objects.filter(pk__in=(resting.pk, busy.pk)).order_by('pk'))
    rows.clear('default')
    assert [state.last and state.last.pk for state in states] == [None, max(ended)]
    jobs = [each for plan in plans for each in plan.readings if each.table != 'netbox_jobs_schedule']
    assert max(each.rows for each in jobs) <= FULL_SCAN < len(ended), jobs


def test_a_schedule_knows_its_last_and_its_current_job_among_those_of_others():
    rows.fill('default', 100)
    busy, resting = Schedule.objects.order_by('pk')[:2]
    fresh = Schedule.objects.create(key='fresh', runner='x', name='x', queue_name='default')
    for schedule in (busy, resting):
        ended = schedule.jobs.exclude(completed=None).order_by('-pk')
        assert schedule.last_job == ended[0]
    assert busy.current_job() == busy.jobs.get(status='scheduled')
    assert (resting.current_job(), fresh.current_job(), fresh.last_job) == (None, None, None)
    running = resting.last_job
    Job.objects.filter(pk=running.pk).update(status='running', completed=None)
    assert resting.current_job() == running
    assert resting.last_job == resting.jobs.exclude(completed=None).order_by('-pk')[0] != running
    rows.clear('default')


def test_the_jobs_of_objects_are_found_by_the_index_also_of_many_objects_and_by_a_subquery():
    rows.fill('default', 4_000)
    things = [Thing.objects.create() for _ in range(5)]
    kind = Plain.enqueue(instance=things[0]).object_type
    Job.objects.exclude(object_id=str(things[0].pk)).update(
        object_type=kind, object_id=Cast(F('pk') + 1_000_000, CharField())
    )
    keys = [thing.pk for thing in things[:3]]
    Schedule.objects.bulk_create(
        Schedule(key=f'{n}', runner='x', name='x', queue_name='low', object_type=kind, object_id=f'{n + 1_000_000}')
        for n in range(2_000)
    )
    with connection.cursor() as cursor:
        cursor.execute(
            'ANALYZE netbox_jobs_job' if connection.vendor == 'postgresql' else 'ANALYZE TABLE netbox_jobs_job'
        )
    with explained('default') as plans:
        list(Thing.objects.filter(pk__in=keys).prefetch_related('jobs'))
        list(Job.objects.filter(object_type=kind, object_id__in=Thing.objects.filter(pk__in=keys).values('pk')))
        list(Thing.objects.filter(pk__in=keys, jobs__status='pending'))
        Thing.objects.filter(pk__in=keys).delete()
    rows.clear('default')
    jobs = [each for plan in plans for each in plan.readings if each.table == 'netbox_jobs_job']
    assert jobs and max(each.rows for each in jobs) <= FULL_SCAN, jobs
    schedules = [each for plan in plans for each in plan.readings if each.table == 'netbox_jobs_schedule']
    assert schedules and max(each.rows for each in schedules) <= FULL_SCAN, schedules


def test_recovery_of_chains_reads_no_ended_jobs():
    rows.fill('default', 4_000)
    with explained('default') as plans:
        continue_chains(lambda: None)
    rows.clear('default')
    jobs = [each for plan in plans for each in plan.readings if each.table == 'netbox_jobs_job']
    assert max((each.rows for each in jobs), default=0) <= FULL_SCAN, jobs

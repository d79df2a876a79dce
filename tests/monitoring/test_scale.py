"""What a database reads for each statement does not grow with the jobs that have ended: by its plans, not by time."""

import pytest

from bench import rows
from bench.operations import Ground, operations
from bench.plans import FULL_SCAN, explained
from netbox_jobs.models import Job, Schedule
from netbox_jobs.monitoring.schedules import schedule_states

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

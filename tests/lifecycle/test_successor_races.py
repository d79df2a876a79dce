"""P4 and P7 where the successor of a job meets what others do at the same moment."""

import threading

import pytest
from django.db import IntegrityError, connection, connections

from netbox_jobs.core import runs
from netbox_jobs.execution.execution import Execution
from netbox_jobs.lifecycle import claim
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Plain
from tests.processes import status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(60)]


def test_p7_what_run_arranges_while_its_schedule_is_ended_never_runs():
    job = Plain.enqueue(interval=5)
    held = claim.claim(str(job.job_id), 'one', 'default')
    schedule = Schedule.objects.get()
    ending = threading.Thread(target=_end, args=(schedule,), daemon=True)

    def end_after_the_look(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if sql.startswith('SELECT') and 'FROM' in sql and Schedule._meta.db_table in sql and not ending.ident:
            ending.start()
            ending.join(0.5)  # it continues, or waits for the lock
        return result

    with runs.running(Execution(held)), connection.execute_wrapper(end_after_the_look):
        Plain.enqueue(interval=6)
    assert ending.ident
    ending.join(30)
    assert not ending.is_alive()
    assert list(Job.objects.waiting()) == []
    held.terminate()
    assert (status(job), Schedule.objects.count(), Job.objects.count()) == ('completed', 0, 1)


def _end(schedule):
    try:
        schedule.end()
    finally:
        connections.close_all()


def test_p4_the_end_is_recorded_although_the_successor_meets_a_conflict_twice(monkeypatch):
    """The slot may be taken, and free again, between the conflict and the look for the job that has it."""
    job = Plain.enqueue(interval=5)
    held = claim.claim(str(job.job_id), 'one', 'default')

    def conflict(self, *args, **kwargs):
        raise IntegrityError('the slot is taken')

    with monkeypatch.context() as patched:
        patched.setattr(Job, 'save', conflict)
        held.terminate()
    assert status(job) == 'completed'
    recovery.settle_dependents()
    assert Job.objects.get(predecessor=job).status == 'scheduled'

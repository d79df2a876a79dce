"""P5 on MariaDB, which locks gaps between the keys of an index: a caller's transaction waits for none of them."""

from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from netbox_jobs.lifecycle import claim
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, PendingChange, Schedule
from tests.app.jobs import Plain
from tests.app.models import Thing
from tests.processes import status
from tests.sessions import elsewhere

pytestmark = pytest.mark.django_db(transaction=True)


def lock_gaps():
    """Lock the gap behind the first slot, which other databases than MariaDB do not have."""
    with connection.cursor() as cursor:
        if connection.vendor == 'mysql':
            cursor.execute('SELECT @@tx_isolation')
            assert cursor.fetchone()[0] == 'REPEATABLE-READ'
        cursor.execute(
            'SELECT id FROM netbox_jobs_job WHERE slot > %s FOR UPDATE', [Schedule.objects.get(object_id=None).pk]
        )


@pytest.fixture
def gaps(monkeypatch):
    """All gaps between the slots are locked by a transaction of another session within this block."""
    with ExitStack() as stack:
        with monkeypatch.context() as strict:
            if connection.vendor == 'mysql':
                strict.setitem(connection.settings_dict['OPTIONS'], 'isolation_level', 'repeatable read')
            stack.enter_context(elsewhere(lock_gaps))
        yield stack.close


@pytest.fixture
def things():
    """Three objects: of the first, a job has run; of the second, one runs; of the third, there is none."""
    Plain.enqueue_once(schedule_at=timezone.now() + timedelta(days=1))  # has the first slot
    things = [Thing.objects.create() for _ in range(3)]
    done, running = (Plain.enqueue_once(instance=thing) for thing in things[:2])
    claim.claim(str(done.job_id), 'worker', 'default').terminate()
    things.append(claim.claim(str(running.job_id), 'worker', 'default'))
    return things


def test_p5_a_call_within_a_transaction_does_not_wait_for_the_gap_of_its_slot(things, gaps):
    *things, running = things
    with transaction.atomic():
        jobs = [Plain.enqueue_once(instance=thing, interval=5, word='x') for thing in things]
    late = PendingChange.objects.count()
    assert late == (3 if connection.vendor == 'mysql' else 0)
    gaps()
    recovery.settle_dependents()
    assert not PendingChange.objects.exists()
    running.terminate()
    for thing, job in zip(things, jobs, strict=True):
        schedule = Schedule.objects.get(object_id=str(thing.pk))
        waiting = Job.objects.waiting().get(schedule=schedule)
        assert (waiting.slot, waiting.interval, waiting.get_arguments()) == (schedule.pk, 5, {'word': 'x'})
        # What follows a running job is made as its successor.
        assert waiting == job or (waiting.predecessor_id == running.pk and status(job) == 'canceled')

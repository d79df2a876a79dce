"""What a worker does for one job does not read the others, also where the database believes that there are none."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from bench.plans import explained
from bench.rows import analyze, clear
from netbox_jobs.core import identity
from netbox_jobs.lifecycle import claim, deliver
from netbox_jobs.models import Job
from tests.app.jobs import Quiet

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]

WAITING = 1_000


@pytest.fixture
def waiting():
    """Jobs that came after the statistics of the table were made."""
    clear('default')
    analyze('default')
    return Quiet.enqueue_many([{}] * WAITING)


def most_rows(act):
    with explained('default') as plans:
        act()
    jobs = [(plan.sql, each) for plan in plans for each in plan.readings if each.table == Job._meta.db_table]
    assert jobs, 'no statement was seen'
    return max((each.rows, sql) for sql, each in jobs)


def test_claim_and_end_of_a_job_read_one_row_whatever_waits(waiting):
    def run(job):
        claimed = claim.claim(str(job.job_id), identity.process_token(), 'default')
        claimed.terminate()

    rows, sql = most_rows(lambda: [run(job) for job in waiting[:3]])
    assert rows <= 10, sql[-700:]
    assert Job.objects.filter(status='completed').count() == 3


@pytest.mark.parametrize('act', [Job.cancel, Job.save], ids=['cancel', 'save'])
def test_what_is_done_to_one_job_reads_one_row_whatever_waits(waiting, act):
    rows, sql = most_rows(lambda: act(waiting[0]))
    assert rows <= 10, sql[-700:]


def test_each_of_many_jobs_that_are_due_in_one_moment_is_delivered_by_reading_one_row():
    clear('default')
    analyze('default')
    jobs = Quiet.enqueue_many([{}] * WAITING, schedule_at=timezone.now() + timedelta(hours=1))

    def act():
        for job in jobs[:3]:
            assert deliver.make_deliverable(job)

    if connection.vendor == 'postgresql':  # MariaDB has no plan for the statement as it is sent there
        rows, sql = most_rows(act)
        assert rows <= 10, sql[-700:]
    else:
        act()
    assert Job.objects.filter(status='pending').count() == 3

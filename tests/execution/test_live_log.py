"""P6: log lines are seen while the job runs, survive its rollback, and its death."""

import os
import signal

import pytest
from django.db import connection

from netbox_jobs.models import JobLogEntry
from tests.app.jobs import Narrating
from tests.processes import status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]


def lines(job):
    return list(JobLogEntry.objects.filter(job_id=job.pk).values_list('message', flat=True))


def test_p6_lines_are_seen_while_run_holds_a_transaction_and_survive_its_rollback(start_worker, tmp_path):
    start_worker()
    go = tmp_path / 'go'
    job = Narrating.enqueue(until=str(go))
    if connection.vendor == 'sqlite':
        wait_for(lambda: status(job) == 'running')  # its one writer is the transaction; the lines come after it
    else:
        wait_for(lambda: lines(job) == ['within the transaction'])
        assert status(job) == 'running'
    go.touch()
    wait_for(lambda: status(job) == 'errored')
    assert lines(job)[0] == 'within the transaction'
    assert 'rolled back' in lines(job)[1]


def test_p6_lines_survive_a_sigkill(start_worker):
    worker = start_worker()
    job = Narrating.enqueue(count=1000)
    wait_for(lambda: len(lines(job)) == 1000)
    os.kill(worker.horses()[0], signal.SIGKILL)
    wait_for(lambda: status(job) == 'errored')
    assert lines(job)[:1000] == [f'line {number}' for number in range(1000)]
    assert 'SIGKILL' in lines(job)[1000]

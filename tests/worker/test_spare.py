"""While short jobs wait, the next child of an ordinary worker is there before the one that is at its job has ended."""

import os

import pytest

from netbox_jobs.models import Job
from tests.app.jobs import Plain, Sleeping
from tests.app.models import Trace
from tests.processes import wait_for

from .test_batches import all_completed, starts

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process, pytest.mark.once]


def children(worker):
    """The processes that this worker has forked, of which none has ended."""
    found = []
    for name in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{name}/stat') as file:
                state, parent = file.read().rsplit(')', 1)[1].split()[:2]
        except OSError:
            continue
        if int(parent) == worker.pid and state != 'Z':
            found.append(int(name))
    return found


def test_p1_each_short_job_has_a_process_of_its_own_and_one_that_waits_is_left(start_worker):
    jobs = Plain.enqueue_many([{}] * 30)
    worker = start_worker()
    wait_for(lambda: all_completed(jobs), 120, worker.output[-2000:])
    assert {starts(job) for job in jobs} == {1}
    wait_for(lambda: len(children(worker)) == 1, what=worker.output[-2000:])
    assert set(Job.objects.filter(pk__in=[job.pk for job in jobs]).values_list('attempt', 'releases')) == {(1, 0)}


def test_behind_a_job_that_takes_long_no_second_child_waits(start_worker):
    worker = start_worker()
    before = [*Plain.enqueue_many([{}] * 10), long := Sleeping.enqueue(), *Plain.enqueue_many([{}] * 3)]
    wait_for(lambda: starts(long), 120, worker.output[-2000:])
    wait_for(lambda: len(children(worker)) == 1, what=worker.output[-2000:])
    assert all_completed(before[:10]) and not Trace.objects.filter(job_pk__in=[job.pk for job in before[11:]]).exists()


def test_a_second_child_does_not_outlive_its_worker(start_worker):
    worker = start_worker()
    Plain.enqueue_many([{}] * 60)
    both = wait_for(lambda: len(found := children(worker)) == 2 and found, 120, worker.output[-2000:])
    worker.kill()
    wait_for(lambda: not any(os.path.exists(f'/proc/{pid}') for pid in both))

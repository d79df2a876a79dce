"""P5: `enqueue_once()` means once, under many callers, on every database."""

import time

import pytest
from django.db import connection, transaction

from netbox_jobs.broker import delivery
from netbox_jobs.models import Job, Schedule
from tests import nursery
from tests.app.jobs import Sleeping
from tests.app.models import Thing
from tests.processes import environment, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]


def call(processes, calls, keys):
    done = nursery.run(['-m', 'tests.app.callers', str(processes), str(calls), str(keys)], environment())
    assert done.stdout == '0 calls failed\n', done.stderr[-3000:]


def test_p5_sixteen_processes_for_one_key_make_one_waiting_job_and_one_delivery():
    Thing.objects.create()
    call(16, 50, 1)
    assert Sleeping.get_jobs().waiting().count() == 1
    assert Job.objects.count() == 1
    assert Schedule.objects.count() == 1
    assert delivery.queue('default').job_ids == [str(Sleeping.get_jobs().get().job_id)]


def test_p5_sixteen_processes_for_sixteen_keys_make_sixteen_jobs():
    for _ in range(16):
        Thing.objects.create()
    call(16, 10, 16)
    assert Sleeping.get_jobs().waiting().count() == 16
    assert Job.objects.values('object_id').distinct().count() == 16
    assert len(delivery.queue('default').job_ids) == 16


def test_p5_no_caller_waits_for_another_keys_lock(tmp_path):
    held, free = Thing.objects.create(), Thing.objects.create()
    Thing.objects.filter(pk=held.pk).update(name='held')
    with transaction.atomic():
        Sleeping.enqueue_once(instance=held, interval=10)
        # The other process takes the first object by primary key: make that the free one.
        assert free.pk > held.pk
        process = nursery.start(['-c', CALL.format(pk=free.pk)], environment(), tmp_path / 'output')
        if connection.vendor == 'sqlite':
            # Its one write lock is not ours to divide: the caller waits for our transaction, and then succeeds.
            deadline = time.monotonic() + 2
            while time.monotonic() < deadline and process.poll() is None:
                time.sleep(0.05)
        else:
            wait_for(lambda: process.poll() is not None, 60, 'the caller of the other key')
    assert process.wait(90) == 0
    assert (tmp_path / 'output').read_text() == 'returned\n'
    assert Sleeping.get_jobs().waiting().count() == 2


CALL = """
import django; django.setup()
from tests.app.jobs import Sleeping
from tests.app.models import Thing
Sleeping.enqueue_once(instance=Thing.objects.get(pk={pk}), interval=10)
print('returned')
"""


def test_p2_many_workers_that_meet_one_job_run_it_once(start_worker):
    from tests.app.jobs import Plain
    from tests.app.models import Trace

    jobs = [Plain.enqueue() for _ in range(20)]
    queue = delivery.queue('default')
    for job in jobs:
        for number in range(3):
            queue.enqueue_call(delivery.ENTRY, args=(str(job.job_id),), job_id=f'{job.job_id}-x{number}')
    for worker in [start_worker('default', '--burst') for _ in range(3)]:
        worker.process.wait(90)
    assert Plain.get_jobs().filter(status='completed').count() == 20
    assert Trace.objects.filter(what='start', job_pk__in=Plain.get_jobs().values('pk')).count() == 20

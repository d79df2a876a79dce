"""P10: limits are exact whatever dies: at each statement, and under workers that are killed."""

import os
import signal
from itertools import pairwise

import pytest
from django.db.models import Count

from netbox_jobs.broker import delivery
from netbox_jobs.enqueue import bulk_insert
from netbox_jobs.lifecycle import claim, lines, requeue
from netbox_jobs.maintenance import recovery, slots
from netbox_jobs.maintenance.orphans import end_orphan
from netbox_jobs.models import Job, Worker
from tests.app.limited import OfTenant, Two
from tests.app.models import Trace
from tests.dying import at_each_statement
from tests.processes import status, wait_for

pytestmark = pytest.mark.django_db(transaction=True)
SOON = {'TEST_NETBOX_JOBS_WORKER_TIMEOUT': '6'}
#: Seconds by which a machine that is busy with other things is late.
BUSY = 8


def with_slot():
    return Two.get_jobs().filter(status__in=('pending', 'running'), held=False, due__isnull=False).count()


def recover():
    slots.give_slots()
    recovery.deliver_due()
    Two.get_jobs().filter(status='pending').update(due=1)
    recovery.redeliver_vanished()
    slots.give_slots()


def reset():
    Job.objects.all().delete()
    delivery.queue('default').empty()


def take(job):
    return claim.claim(str(job.job_id), 'worker', 'default')


def test_p10_enqueued_by_a_process_that_dies_at_any_statement_no_job_is_lost_and_none_is_too_many(monkeypatch):
    monkeypatch.setattr(bulk_insert, 'BATCH', 1)  # a statement for each job: they are one transaction anyway
    for number in at_each_statement(lambda: Two.enqueue_many([{}] * 3)):
        stored = Two.get_jobs().count()
        assert stored in (0, 3)
        assert with_slot() <= 2
        recover()
        assert with_slot() == min(stored, 2), number
        for job in Two.get_jobs().order_by('pk'):
            take(job).terminate()
        assert Two.get_jobs().filter(status='completed').count() == stored
        reset()
    assert stored == 3


def test_p10_many_that_stand_in_line_as_they_are_inserted_are_not_lost_wherever_that_process_dies(monkeypatch):
    Two.enqueue_many([{}] * 3)
    take(Two.get_jobs().filter(status='pending').first()).terminate()  # from here on, the limit has a row
    monkeypatch.setattr(lines, 'BATCH', 2)
    for number in at_each_statement(lambda: Two.enqueue_many([{}] * 4)):
        open_ = Two.get_jobs().exclude(status='completed')
        stored = open_.count()
        assert stored in (2, 6, 0, 4) and with_slot() <= 2, number
        recover()
        while (job := Two.get_jobs().filter(status='pending').first()) is not None:
            take(job).terminate()
        assert not open_.exists(), number
    assert stored == 4


@pytest.mark.parametrize('others', [0, 1, 2, 3])
@pytest.mark.parametrize('runner', [Two, OfTenant])
def test_p10_enqueued_by_itself_by_a_process_that_dies_at_any_statement_a_job_is_not_lost(runner, others):
    most = 2 if runner is Two else 1

    def with_slots():
        return runner.get_jobs().filter(status='pending', held=False, due__isnull=False).count()

    def begin():
        reset()
        for _ in range(others):
            runner.enqueue()

    begin()
    for number in at_each_statement(runner.enqueue):
        stored = runner.get_jobs().count()
        assert stored in (others, others + 1) and with_slots() <= most, number
        slots.give_slots()
        recovery.deliver_due()
        slots.give_slots()
        assert with_slots() == min(stored, most), number
        while (job := runner.get_jobs().filter(status='pending').first()) is not None:
            take(job).terminate()
        assert runner.get_jobs().filter(status='completed').count() == stored, number
        begin()


@pytest.mark.parametrize('how', ['ends', 'is retried', 'is canceled', 'is put back'])
def test_p10_a_slot_that_is_freed_by_a_process_that_dies_at_any_statement_goes_to_one_other_job(how):
    def begin():
        reset()
        jobs[:] = [Two.enqueue_once(interval=60), *Two.enqueue_many([{}] * 3)]
        if how in ('ends', 'is retried'):
            jobs[0] = take(jobs[0])

    def act():
        if how == 'ends':
            jobs[0].terminate()
        elif how == 'is retried':
            requeue.requeue(jobs[0], 3600, after='x')
        elif how == 'is canceled':
            jobs[0].cancel()
        else:
            jobs[0].schedule.pause()

    jobs: list[Job] = []
    begin()
    for number in at_each_statement(act):
        assert with_slot() <= 2, number
        job = Job.objects.get(pk=jobs[0].pk)
        if job.status == 'running':
            end_orphan(job, 'its process has died', may_retry=False)
        recover()
        assert with_slot() == 2, number
        assert Two.get_jobs().filter(status='pending').count() == 2
        begin()
    assert number >= 3


@pytest.mark.process
@pytest.mark.timeout(240)
def test_p10_under_workers_that_are_killed_never_more_than_two_run_and_all_end(start_worker, tmp_path):
    calls = [{'folder': str(tmp_path), 'seconds': 0.4, 'die': number % 5 == 0} for number in range(40)]
    workers = [start_worker(**SOON) for _ in range(3)]
    wait_for(lambda: Worker.objects.count() == 3)  # a busy machine starts one after the other
    jobs = Two.enqueue_many(calls)
    for share in (5, 12, 20):
        wait_for(lambda share=share: Two.get_jobs().filter(status='completed').count() >= share, 90)
        workers.pop(0).kill()
        workers.append(start_worker(**SOON))
    wait_for(lambda: not Two.get_jobs().exclude(status='completed').exists(), 120, workers[-1].output[-3000:])
    assert not Trace.objects.filter(what='overlap').exists()
    ran = Trace.objects.filter(what='end').values('job_pk').annotate(times=Count('pk'))
    assert {each['job_pk'] for each in ran} == {job.pk for job in jobs}
    assert _most_at_once() == 2, 'and no less than two, while others waited'


@pytest.mark.process
@pytest.mark.timeout(300)
def test_p10_while_work_waits_never_less_than_two_run_for_long(start_worker):
    """The rows say it afterwards. The promise is two seconds; the rest is what a machine takes that has much to do."""
    workers = [start_worker('--fast') for _ in range(3)]
    wait_for(lambda: Worker.objects.count() == 3)
    Two.enqueue_many([{'seconds': 0.2 + number % 3 / 5} for number in range(30)])
    wait_for(lambda: not Two.get_jobs().exclude(status='completed').exists(), 200, workers[-1].output[-3000:])
    rows = [(job.started.timestamp(), job.completed.timestamp()) for job in Two.get_jobs()]
    moments = sorted([(start, 1) for start, _end in rows] + [(end, -1) for _start, end in rows])
    first, last = sorted(start for start, _end in rows)[1], max(start for start, _end in rows)
    running, longest = 0, 0.0
    for (moment, change), (following, _change) in pairwise(moments):
        running += change
        assert running <= 2
        if running < 2 and first <= moment < last:
            longest = max(longest, following - moment)
    assert longest < 2 + BUSY


def _most_at_once():
    most = running = 0
    for trace in Trace.objects.filter(what__in=('start', 'end'), job_pk__in=_not_crashed()).order_by('at', 'pk'):
        running += 1 if trace.what == 'start' else -1
        most = max(most, running)
    return most


def _not_crashed():
    return Two.get_jobs().filter(crashes=0).values('pk')


@pytest.mark.process
def test_p10_killed_when_the_end_is_committed_and_before_anything_else_its_slot_is_used(start_worker):
    first, second = OfTenant.enqueue(), OfTenant.enqueue()
    start_worker(TEST_KILL_AT='after it')
    wait_for(lambda: status(first) == 'completed')
    wait_for(lambda: status(second) == 'completed')
    assert second.started >= first.completed


@pytest.mark.process
def test_p10_a_dead_holder_keeps_no_slot(start_worker, tmp_path):
    worker = start_worker(**SOON)
    held = Two.enqueue_many([{'folder': str(tmp_path), 'until': 'go'}] * 2)
    wait_for(lambda: Two.get_jobs().filter(status='running').count() == 1)
    other = start_worker(**SOON)
    wait_for(lambda: Two.get_jobs().filter(status='running').count() == 2)
    waiting = Two.enqueue(folder=str(tmp_path))
    for pid in (worker.pid, *worker.horses()):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: Two.get_jobs().filter(crashes__gte=1).exists(), 60, other.output[-2000:])
    (tmp_path / 'go').touch()
    wait_for(lambda: not Two.get_jobs().exclude(status='completed').exists(), 60)
    assert not Trace.objects.filter(what='overlap').exists()
    assert waiting.pk > held[1].pk


@pytest.mark.process
def test_p10_jobs_of_a_tenant_run_one_after_the_other_on_many_workers(start_worker):
    jobs = OfTenant.enqueue_many([{'tenant': f'{number % 2}'} for number in range(30)])
    for worker in [start_worker() for _ in range(2)]:
        assert worker.pid
    wait_for(lambda: not OfTenant.get_jobs().exclude(status='completed').exists(), 120)
    for tenant in (0, 1):
        own = OfTenant.get_jobs().filter(pk__in=[job.pk for job in jobs[tenant::2]]).order_by('started')
        assert all(before.completed <= after.started for before, after in pairwise(own))

"""P10: rates are exact whatever dies: at each statement, and under workers that are killed."""

import threading

import pytest
from django.db import connections

from netbox_jobs.broker import delivery
from netbox_jobs.enqueue import bulk_insert
from netbox_jobs.lifecycle import claim, requeue
from netbox_jobs.maintenance import recovery, slots
from netbox_jobs.maintenance.orphans import end_orphan
from netbox_jobs.models import Job, LimitRow, RateStart
from tests.app.rated import Brisk, Hourly
from tests.dying import at_each_statement
from tests.processes import wait_for
from tests.windows import most_within, starts

pytestmark = pytest.mark.django_db(transaction=True)


def allowed():
    """How many of the jobs may begin, or have begun."""
    return Hourly.get_jobs().exclude(status='scheduled').count()


def recover():
    LimitRow.objects.update(full_until=None)
    slots.give_slots()
    recovery.deliver_due()
    Hourly.get_jobs().filter(status='pending').update(due=1)
    recovery.redeliver_vanished()
    slots.give_slots()


def reset():
    Job.objects.all().delete()
    RateStart.objects.all().delete()
    delivery.queue('default').empty()


def take(job):
    return claim.claim(str(job.job_id), 'worker', 'default')


def test_p10_enqueued_by_a_process_that_dies_at_any_statement_no_job_is_lost_and_none_begins_too_early(monkeypatch):
    monkeypatch.setattr(bulk_insert, 'BATCH', 1)  # a statement for each job: they are one transaction anyway
    for number in at_each_statement(lambda: Hourly.enqueue_many([{}] * 3)):
        stored = Hourly.get_jobs().count()
        assert stored in (0, 3)
        assert allowed() <= 2
        recover()
        assert allowed() == min(stored, 2), number
        reset()
    assert stored == 3


@pytest.mark.parametrize('how', ['ends', 'is retried', 'is put back'])
def test_p10_a_process_that_dies_at_any_statement_neither_loses_a_start_nor_keeps_a_permit(how):
    def begin():
        reset()
        jobs[:] = [Hourly.enqueue_once(interval=60), *Hourly.enqueue_many([{}] * 2)]
        if how != 'is put back':
            jobs[0] = take(jobs[0])

    def act():
        if how == 'ends':
            jobs[0].terminate()
        elif how == 'is retried':
            requeue.requeue(jobs[0], 3600, after='x')
        else:
            jobs[0].schedule.pause()

    jobs: list[Job] = []
    begin()
    for number in at_each_statement(act):
        job = Job.objects.get(pk=jobs[0].pk)
        if job.status == 'running':
            end_orphan(job, 'its process has died', may_retry=False)
        recover()
        begun = 0 if how == 'is put back' and Job.objects.get(pk=job.pk).status == 'scheduled' else 1
        others = Hourly.get_jobs().filter(status='pending').exclude(pk=job.pk)
        assert others.count() == 2 - begun, number
        begin()
    assert number >= 3


def test_p10_a_process_that_dies_while_it_gives_permits_gives_none_too_many():
    Hourly.enqueue_many([{}] * 5)
    for job in Hourly.get_jobs().filter(status='pending'):
        take(job).terminate()

    def later():
        slots.sweep()  # those that have ended count from their start on
        RateStart.objects.filter(until__isnull=False).update(until=1)
        LimitRow.objects.update(full_until=None)

    later()
    for number in at_each_statement(slots.give_slots):
        assert Hourly.get_jobs().filter(status='pending').count() <= 2
        recover()
        pending = list(Hourly.get_jobs().filter(status='pending'))
        assert len(pending) == 2, number
        for job in pending:
            take(job).terminate()
        later()
        Hourly.enqueue_many([{}] * 2)
        for job in Hourly.get_jobs().filter(status='pending'):
            take(job).terminate()
        later()
        Hourly.enqueue_many([{}] * 2)


def test_p10_many_processes_that_give_permits_at_once_give_none_too_many():
    Hourly.enqueue_many([{}] * 30)
    Hourly.get_jobs().update(status='scheduled', held=True)
    RateStart.objects.all().delete()
    Hourly.get_jobs().update(due=1)
    barrier, failures = threading.Barrier(4), []

    def give():
        try:
            barrier.wait(60)
            recovery.deliver_due()
            slots.give_slots()
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=give) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failures
    assert Hourly.get_jobs().filter(status='pending').count() == 2


@pytest.mark.process
@pytest.mark.timeout(240)
def test_p10_under_workers_that_are_killed_no_window_has_more_starts_than_the_rate_says(start_worker):
    soon = {'TEST_NETBOX_JOBS_WORKER_TIMEOUT': '6'}
    workers = [start_worker(**soon) for _ in range(2)]
    jobs = Brisk.enqueue_many([{'seconds': 0.1}] * 16)
    wait_for(lambda: Brisk.get_jobs().filter(status='completed').count() >= 5, 90)
    workers[0].kill()
    start_worker(**soon)
    wait_for(lambda: not Brisk.get_jobs().exclude(status='completed').exists(), 120, workers[1].output[-2000:])
    assert most_within(1, starts(jobs)) <= 4

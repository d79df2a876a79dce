"""Every wait has a reason."""

from datetime import timedelta

import pytest
from django.utils import timezone

from netbox_jobs.broker.connection import close_circuits
from netbox_jobs.core import order
from netbox_jobs.core.waits import Wait, WaitKind
from netbox_jobs.models import Job, PausedQueue, Worker
from netbox_jobs.monitoring import waiting
from tests.app.jobs import Plain
from tests.app.models import Thing

pytestmark = pytest.mark.django_db(transaction=True)


def reason(job, **kwargs):
    return waiting.reason(Job.objects.get(pk=job.pk), **kwargs)


@pytest.fixture
def worker():
    return Worker.objects.create(token='w', name='w', host='h', pid=1, queues='high,default')


def test_no_worker_serves_the_queue_or_the_job_waits_in_line(worker):
    assert reason(Plain.enqueue(queue_name='low')) == Wait(WaitKind.NO_WORKER, queue='low')
    assert reason(Plain.enqueue()) == Wait(WaitKind.IN_LINE, queue='default')


def test_a_job_in_line_says_behind_how_many_others_it_is(worker, monkeypatch):
    first, *others = (Plain.enqueue() for _ in range(4))
    Plain.enqueue(queue_name='high')
    assert reason(first, in_full=True) == Wait(WaitKind.IN_LINE, queue='default')
    assert [reason(job, in_full=True).more for job in others] == [1, 2, 3]
    assert reason(others[-1]).more == waiting.without_others(reason(others[-1], in_full=True)).more == 0
    monkeypatch.setattr(waiting, 'BEHIND', 1)  # no more than are needed are counted
    assert reason(others[-1], in_full=True).more == 2
    first.start()
    assert reason(others[0], in_full=True).more == 0


def test_an_urgent_job_is_behind_those_that_are_as_urgent_or_delivered(worker, monkeypatch):
    monkeypatch.setattr(order, 'AHEAD', 1)
    jobs = [Plain.enqueue(priority=8) for _ in range(4)]
    delivered = [job for job in jobs if not Job.objects.get(pk=job.pk).held]
    assert len(delivered) == 1
    assert [reason(job, in_full=True).more for job in jobs] == [0, 1, 2, 3]


def test_a_paused_queue_and_a_paused_schedule_come_first(worker):
    PausedQueue.pause('default')
    assert reason(Plain.enqueue()) == Wait(WaitKind.QUEUE_PAUSED, queue='default')
    job = Plain.enqueue_once(interval=60)
    job.schedule.pause()
    assert reason(job) == Wait(WaitKind.SCHEDULE_PAUSED, schedule=job.schedule_id)


def test_a_job_that_is_due_later_says_when(worker):
    moment = timezone.now().replace(microsecond=0) + timedelta(hours=1)
    assert reason(Plain.enqueue(schedule_at=moment)) == Wait(WaitKind.DUE, until=moment)


def test_a_failed_attempt_is_followed_by_a_backoff(worker):
    job = Plain.enqueue(schedule_at=timezone.now() + timedelta(hours=1))
    Job.objects.filter(pk=job.pk).update(attempt=1)
    found = reason(job)
    assert (found.kind, found.attempt) == (WaitKind.BACKOFF, 2)
    assert found.until > timezone.now()


def test_a_job_waits_for_other_jobs_of_which_the_first_are_named(worker, monkeypatch):
    first, second = Plain.enqueue(), Plain.enqueue()
    job = Plain.enqueue(depends_on=[first, second])
    assert reason(job) == Wait(WaitKind.JOBS, jobs=(first.pk, second.pk))
    monkeypatch.setattr(waiting, 'NAMED', 1)
    assert reason(job) == Wait(WaitKind.JOBS, jobs=(first.pk,), more=1)
    Job.objects.filter(pk=first.pk).update(status='completed')
    assert reason(job) == Wait(WaitKind.JOBS, jobs=(second.pk,))


def test_an_occurrence_waits_for_the_one_that_runs(worker):
    running = Plain.enqueue_once(interval=60)
    running.start()
    following = Plain.enqueue_once(interval=60, schedule_at=timezone.now())
    assert following.pk != running.pk
    assert reason(following) == Wait(WaitKind.PREVIOUS, jobs=(running.pk,), schedule=running.schedule_id)
    Job.objects.filter(pk=running.pk).update(status='completed')
    assert reason(following).kind == WaitKind.IN_LINE


def test_an_occurrence_waits_for_its_predecessor_that_has_not_ended(worker):
    before = Plain.enqueue(schedule_at=timezone.now() + timedelta(hours=1))
    job = Plain.enqueue_once(interval=60)
    Job.objects.filter(pk=job.pk).update(predecessor=before)
    assert reason(job) == Wait(WaitKind.PREVIOUS, jobs=(before.pk,), schedule=job.schedule_id)


def test_whether_redis_answers_is_asked_only_on_demand(worker, settings):
    job = Plain.enqueue()
    settings.RQ_QUEUES = {'default': {'URL': 'redis://127.0.0.1:1/0'}}  # where nothing answers
    assert reason(job).kind == WaitKind.IN_LINE
    assert reason(job, in_full=True) == Wait(WaitKind.REDIS, queue='default')
    close_circuits()


def test_a_job_about_an_unsaved_object_waits_until_that_is_saved(worker):
    thing = Thing(name='new')
    job = Plain.enqueue(instance=thing)
    assert reason(job) == Wait(WaitKind.UNSAVED)
    thing.save()
    assert reason(job) == Wait(WaitKind.IN_LINE, queue='default')


@pytest.mark.parametrize('status', ['running', 'completed', 'canceled'])
def test_a_job_that_does_not_wait_has_no_reason(worker, status):
    job = Plain.enqueue()
    Job.objects.filter(pk=job.pk).update(status=status)
    assert reason(job) is None

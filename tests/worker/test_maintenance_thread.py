"""The maintenance thread: which workers it declares dead, leaders that cannot lead, duties that take long."""

from datetime import timedelta

import pytest
import redis
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from netbox_jobs.broker import connection, delivery
from netbox_jobs.execution import heartbeat
from netbox_jobs.lifecycle import claim
from netbox_jobs.lifecycle.deliver import delivery_of
from netbox_jobs.maintenance import observer, orphans, recovery
from netbox_jobs.models import Job, Schedule, Worker
from netbox_jobs.worker import maintenance_thread
from netbox_jobs.worker.maintenance_thread import POLL, SWEEP
from tests.app.jobs import Plain
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)

OWN, OTHER = 'b' * 32, 'a' * 32


@pytest.fixture
def clock(monkeypatch):
    """The monotonic clock, moved by hand."""

    class Clock:
        now = 1000.0

    monkeypatch.setattr(observer.time, 'monotonic', lambda: Clock.now)
    return Clock


@pytest.fixture
def watching():
    """The maintenance thread of a worker that does nothing else."""
    lease = heartbeat.Lease(OWN, 'own', 'default')
    return maintenance_thread.MaintenanceThread(lease, at_work=lambda: (0, None), stop=lambda job_id: None)


def claimed(job, worker=OTHER):
    return claim.claim(str(job.job_id), worker, 'default')


def other(**values):
    """Another worker."""
    return Worker.objects.create(
        **{'token': OTHER, 'name': 'other', 'host': 'h', 'pid': 1, 'queues': 'default', **values}
    )


def beat_of(worker):
    Worker.objects.filter(pk=worker.pk).update(beats=worker.beats + 1)
    worker.refresh_from_db()


# Whom it takes for dead


def test_p2_a_standstill_of_all_workers_is_no_death(clock, watching, settings):
    """A machine that was suspended, or a database that hung: the first one back declares no worker dead."""
    settings.NETBOX_JOBS = {'WORKER_TIMEOUT': 20}
    worker, job = other(), claimed(Plain.enqueue())
    for _ in range(6):
        clock.now += 5
        beat_of(worker)
        watching._do(watching._beat)
    clock.now += 3600
    watching._do(watching._beat)
    assert status(job) == 'running'
    clock.now += 5
    beat_of(worker)  # the other one is back as well
    watching._do(watching._beat)
    assert status(job) == 'running'
    for _ in range(5):
        clock.now += 5
        watching._do(watching._beat)
    assert status(job) == 'errored'  # it is gone for good


def test_p2_what_a_running_job_runs_within_itself_is_no_orphan():
    outer = claimed(Plain.enqueue(), OWN)
    within = claimed(Plain.enqueue(), OWN)
    assert orphans.end_own_orphans(OWN, outer.delivery_id) == 0
    assert orphans.end_own_orphans(OWN, 'a foreign job of RQ') == 0
    assert (status(outer), status(within)) == ('running', 'running')
    assert orphans.end_own_orphans(OWN) == 2  # it runs nothing any more


# Who leads


def test_a_process_that_is_no_worker_does_not_lead(clock, watching):
    other(queues='')  # a command that runs a job itself, say
    watching._do(watching._beat)
    assert watching._leads()
    Worker.objects.update(queues='default')
    watching._do(watching._beat)
    assert not watching._leads()


def test_three_workers_look_for_due_jobs_every_second_and_the_others_with_the_sweep(clock, watching):
    """However many workers there are, they ask the database no more often."""

    def pause():
        watching._do(watching._beat)
        watching._next[watching._deliver_due] = clock.now + POLL  # as `run()` does
        watching._do(watching._deliver_due)
        return watching._next[watching._deliver_due] - clock.now

    others = [other(token=f'a{number}' * 16) for number in range(2)]
    assert pause() == POLL
    others.append(other(token='a2' * 16))
    assert pause() == SWEEP
    job = Plain.enqueue(schedule_at=timezone.now() + timedelta(hours=1))
    Job.objects.filter(pk=job.pk).update(due=0)
    pause()
    assert status(job) == 'pending'  # should those before it all be unable to
    others.pop().delete()
    assert pause() == POLL


def test_p1_what_a_leader_cannot_redeliver_others_do_in_time(watching):
    """It may be cut off from Redis, or run an older release that does not know the queue."""
    other()
    watching._do(watching._beat)
    assert not watching._leads()
    job = Plain.enqueue()
    delivery.queue('default').empty()
    for age, deliveries in ((6_000, 1), (21_000, 2)):
        Job.objects.filter(pk=job.pk).update(due=job.due - age)
        watching._next_comparison = 0.0  # which others than the leader make less often
        watching._do(watching._redeliver)
        job.refresh_from_db()
        assert job.deliveries == deliveries


def test_p1_a_due_job_is_left_to_a_worker_that_reaches_its_queue(monkeypatch):
    monkeypatch.setattr(recovery, '_BATCH', 2)
    soon = timezone.now() + timedelta(hours=1)
    away = [Plain.enqueue(queue_name='low', schedule_at=soon) for _ in range(5)]
    here = Plain.enqueue(schedule_at=soon)
    Job.objects.update(due=1)
    Job.objects.filter(pk=here.pk).update(due=2)
    Job.objects.filter(pk=away[0].pk).update(queue_name='of.another.release')
    with monkeypatch.context() as patch:
        patch.setattr(connection, 'is_open', lambda target: target.name == 'low')
        assert recovery.deliver_due() == 1
    assert status(here) == 'pending'
    assert {status(job) for job in away} == {'scheduled'}
    assert recovery.deliver_due() == 4
    assert status(away[0]) == 'scheduled'


def test_p1_attempts_while_redis_is_left_alone_do_not_prolong_that(monkeypatch, clock):
    reached = []

    def enqueue(target, deliveries):
        if clock.now < 1001:
            raise redis.ConnectionError('gone')
        reached.extend(deliveries)

    monkeypatch.setattr(delivery, '_enqueue', enqueue)
    monkeypatch.setattr(connection, '_open_until', {})
    job = Plain.enqueue()
    for _ in range(3):
        clock.now += connection.PAUSE / 4
        assert not delivery.deliver(delivery_of(job))
        assert delivery.deliver_many([delivery_of(job)]) == 0
    clock.now = 1000 + connection.PAUSE + 0.1
    assert delivery.deliver(delivery_of(job))
    assert reached == [delivery_of(job)]


@pytest.mark.parametrize('how', ['claims it', 'puts it back', 'has died'])
def test_a_job_that_a_worker_has_just_taken_is_not_delivered_again(how):
    job = Plain.enqueue()
    Job.objects.filter(pk=job.pk).update(due=1)  # it has waited for long
    queue = connection.queue('default')
    assert queue.pop_job_id() == job.delivery_id

    def pause():
        if how == 'claims it':
            claimed(job)
        elif how == 'puts it back':
            queue.push_job_id(job.delivery_id)

    assert recovery.redeliver_vanished(pause=pause) == (how == 'has died')
    job.refresh_from_db()
    assert job.deliveries == 1 + (how == 'has died')


# What keeps it from its other duties


def test_p1_a_job_that_cannot_be_settled_keeps_no_other_from_recovery(monkeypatch, caplog):
    first, second = Plain.enqueue(), Plain.enqueue()
    poison, good = Plain.enqueue(depends_on=first), Plain.enqueue(depends_on=second)
    Job.objects.filter(pk__in=(first.pk, second.pk)).update(status='completed')
    settle = recovery.settle_dependent

    def fallible(job, **how):
        if job.pk == poison.pk:
            raise ValueError('poison')
        settle(job, **how)

    monkeypatch.setattr(recovery, 'settle_dependent', fallible)
    assert recovery.settle_dependents() == 2
    good.refresh_from_db()
    assert good.due is not None
    assert 'poison' in caplog.text


def test_p4_a_job_whose_object_is_of_a_model_that_is_gone_ends_and_has_its_successor():
    job = Plain.enqueue(interval=10)
    gone = ContentType.objects.create(app_label='uninstalled', model='thing')
    for model in (Job, Schedule):
        model.objects.update(object_type=gone, object_id='1')
    claimed(job)
    orphans.end_orphans(OTHER)
    assert status(job) == 'errored'
    assert Plain.get_jobs().waiting().get().predecessor_id == job.pk


def test_a_duty_that_takes_long_gives_signs_of_life_between_its_steps(watching):
    watching._do(watching._beat)
    beats = Worker.objects.get(token=OWN).beats
    jobs = [Plain.enqueue(schedule_at=timezone.now() + timedelta(hours=1)) for _ in range(3)]
    Job.objects.update(due=1)
    watching._every[watching._beat] = 0.0  # it is always time
    watching._next[watching._beat] = 0.0
    watching._do(watching._deliver_due)
    assert {status(job) for job in jobs} == {'pending'}
    assert Worker.objects.get(token=OWN).beats == beats + 3
    assert watching._busy.acquire(timeout=0)

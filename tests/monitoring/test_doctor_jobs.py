"""`jobs doctor`: what is wrong with workers, queues, jobs and schedules is found."""

import re
from datetime import timedelta

import pytest
from django.db.models import F
from redis import Redis
from rq import SimpleWorker
from rq import Worker as RQWorker

from netbox_jobs.broker import connection
from netbox_jobs.models import Job, PausedQueue, RepairCount, Schedule, Worker
from netbox_jobs.monitoring import doctor
from tests.app.jobs import Plain

from .examined import beat, found, rq_heartbeat, sound, utcnow

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ('sound',)  # which is there for each test


def test_workers_that_are_silent_or_run_other_versions_are_reported():
    Worker.objects.create(token='v', name='hanging', host='h', pid=2, queues='low')
    Worker.objects.filter(token='w').update(version='netbox-jobs 0.0.1')
    reported = found()
    assert 'hanging (process 2 on h)' in reported['workers.silent'].text
    assert '1 run netbox-jobs 0.0.1' in reported['workers.versions'].text
    assert 'workers.none' not in reported
    Worker.objects.filter(token='w').update(version='')
    assert '1 run an unknown version' in found()['workers.versions'].text
    reported = found(sleep=lambda seconds: None)
    assert reported['workers.none'].level == doctor.ERROR


def test_a_worker_that_uses_another_redis_is_reported():
    client = connection.queue('default').connection
    client.delete(RQWorker.redis_worker_namespace_prefix + 'w')
    each = found()['workers.redis']
    assert each.level == doctor.ERROR and 'w (process 1 on h)' in each.text and 'RQ_QUEUES' in each.advice


@pytest.mark.parametrize(('ahead', 'says'), [(300, 'ahead of'), (-300, 'behind')])
def test_a_worker_whose_clock_differs_is_reported(ahead, says):
    rq_heartbeat(utcnow() + timedelta(seconds=ahead))
    assert re.search(rf'w on h is \d+ seconds {says} that of the Redis server', found()['workers.clock'].text)
    rq_heartbeat(utcnow() - timedelta(seconds=30))
    assert 'workers.clock' not in found()


def test_a_worker_of_rq_that_takes_our_jobs_is_reported(settings):
    client = connection.queue('default').connection
    client.sadd(RQWorker.redis_workers_keys, RQWorker.redis_worker_namespace_prefix + 'plain')
    rq_heartbeat(utcnow(), 'plain', pid=77)
    assert 'workers.foreign' not in found()  # it has gone, and RQ removes it minutes later
    place = client.connection_pool.connection_kwargs
    other = Redis(host=place['host'], port=place['port'], db=place['db'], client_name='plain')
    other.ping()
    each = found()['workers.foreign']
    assert 'process 77 on h' in each.text and 'default, low' in each.text and 'rqworker' in each.advice
    rq_heartbeat(utcnow(), 'plain', queues='of_another_project')
    assert 'workers.foreign' not in found()
    other.close()


def test_queues_without_workers_by_their_settings_are_told(settings):
    settings.RQ_QUEUES = {**settings.RQ_QUEUES, 'low': {**settings.RQ_QUEUES['default'], 'ASYNC': False}}
    each = found()['queues.inline']
    assert each.level == doctor.INFO and 'the queues low:' in each.text


def test_a_process_that_delivers_nothing_is_told(settings):
    settings.NETBOX_JOBS = {**getattr(settings, 'NETBOX_JOBS', {}), 'DELIVER': False}
    assert found()['settings.delivery'].level == doctor.ERROR


def test_another_secret_key_is_found_before_and_after_jobs_are_refused(settings):
    job = Plain.enqueue()
    settings.SECRET_KEY, kept = 'another', settings.SECRET_KEY
    each = found()['jobs.signature']
    assert each.level == doctor.ERROR and f'job {job.pk}' in each.text and 'SECRET_KEY_FALLBACKS' in each.advice
    SimpleWorker([connection.queue('default')], connection=connection.queue('default').connection).work(burst=True)
    settings.SECRET_KEY = kept
    reported = found()
    assert f'job {job.pk}' in reported['jobs.refused'].text and 'jobs.signature' not in reported


def test_jobs_that_redis_has_lost_of_late_are_told():
    RepairCount.add(RepairCount.Kind.REDELIVERY, 2)
    each = found()['jobs.redelivered']
    assert each.level == doctor.INFO and 'SERIALIZER' in each.advice
    RepairCount.objects.update(latest=F('latest') - timedelta(hours=2))
    assert 'jobs.redelivered' not in found()


def test_queues_that_no_worker_serves_are_reported_an_error_if_jobs_wait(settings):
    Worker.objects.filter(token='w').update(queues='high default')
    reported = [each for each in doctor.examine(beat) if each.code == 'queues.unserved']
    assert {each.level for each in reported} == {doctor.WARNING}
    assert any('queue low.' in each.text for each in reported)
    Plain.enqueue(queue_name='low')
    reported = [each for each in doctor.examine(beat) if each.code == 'queues.unserved']
    assert [each.level for each in reported if 'queue low;' in each.text] == [doctor.ERROR]


def test_queues_that_are_unknown_paused_or_stalled_are_reported():
    jobs = [Plain.enqueue(queue_name=name) for name in ('high', 'default', 'low')]
    Job.objects.filter(pk=jobs[0].pk).update(queue_name='gone')
    PausedQueue.pause('default')
    Job.objects.filter(pk=jobs[2].pk).update(due=jobs[2].due - 700_000)
    reported = found()
    assert 'queue gone' in reported['queues.unknown'].text
    assert 'jobs resume default' in reported['queues.paused'].advice
    assert 'queue low' in reported['queues.stalled'].text


def test_schedules_that_are_suspended_or_late_are_reported():
    job = Plain.enqueue_once(interval=60)
    Job.objects.filter(pk=job.pk).update(due=job.due - 100_000)
    Schedule.objects.create(key='s', runner='x', name='Nightly', queue_name='low', suspended='its runner is gone')
    reported = found()
    assert (
        'Nightly' in reported['schedules.suspended'].text
        and 'its runner is gone' in reported['schedules.suspended'].text
    )
    assert 'tests.app.jobs.Plain' in reported['schedules.late'].text

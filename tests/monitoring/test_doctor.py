"""`jobs doctor` and `jobs health`: each thing that can be wrong is found, and a sound installation is sound."""

import re
import time

import pytest
from django.db import Error as DBError
from django.db import connection as database_connection
from django.db.models import F
from django.test import Client
from redis.exceptions import ResponseError

from netbox_jobs.broker import connection
from netbox_jobs.core import versions
from netbox_jobs.models import Job, PausedQueue, Schedule, Worker
from netbox_jobs.monitoring import doctor, health, pulse
from netbox_jobs.monitoring.doctor import servers
from tests.app.jobs import Plain
from tests.docs.blocks import DOCS, names, rows

pytestmark = pytest.mark.django_db(transaction=True)

NOWHERE = 'redis://127.0.0.1:1/0'


@pytest.fixture(autouse=True)
def sound(monkeypatch, settings):
    """All queues are served by a worker that lives: waiting for its heartbeat gives one."""
    queues = ' '.join(settings.RQ_QUEUES)
    Worker.objects.create(token='w', name='w', host='h', pid=1, queues=queues, version=versions.running())


def beat(seconds):
    Worker.objects.filter(token='w').update(beats=F('beats') + 1)


def found(sleep=beat):
    return {each.code: each for each in doctor.examine(sleep)}


def test_a_sound_installation_has_no_findings_but_those_of_the_settings_of_tests():
    assert {code for code in found() if not code.startswith('check.')} == set()


def test_the_system_checks_are_reported(settings):
    settings.NETBOX_JOBS = {'WORKER_TIMEOUT': 1}
    each = found()['check.E005']
    assert each.level == doctor.ERROR and 'WORKER_TIMEOUT' in each.text


def test_a_database_that_does_not_answer_ends_the_examination(monkeypatch):
    monkeypatch.setattr(health, '_database', lambda: health.Check('database', False, 'It does not answer.'))
    everything = list(doctor.examine(beat))
    assert everything[-1].code == 'database.away'
    assert all(each.code.startswith('check.') for each in everything[:-1])


def test_migrations_that_are_not_applied_are_named(monkeypatch):
    monkeypatch.setattr(
        'django.db.migrations.loader.MigrationRecorder.applied_migrations', lambda self: {}, raising=True
    )
    each = found()['database.migrations']
    assert '0001_initial' in each.text and 'migrate netbox_jobs' in each.advice
    assert 'workers.none' not in found()


@pytest.mark.parametrize(('ahead', 'says'), [(60, 'ahead of'), (-60, 'behind')])
def test_clocks_that_differ_are_reported(monkeypatch, ahead, says):
    now = time.time
    monkeypatch.setattr(servers.time, 'time', lambda: now() - ahead)
    reported = found()
    assert says in reported['redis.clock'].text
    assert ('database.clock' in reported) == (database_connection.vendor != 'sqlite')


def test_a_redis_that_does_not_answer_or_evicts_is_reported(monkeypatch, settings):
    client = connection.queue('default').connection
    monkeypatch.setattr(client, 'info', lambda _section: {'maxmemory_policy': 'allkeys-lru', 'maxmemory': 0})
    assert 'allkeys-lru' in found()['redis.eviction'].text

    def refuse(_section):
        raise ResponseError('unknown command')

    monkeypatch.setattr(client, 'info', refuse)
    assert found()['redis.unknown_policy'].level == doctor.INFO
    settings.RQ_QUEUES = {**settings.RQ_QUEUES, 'low': {'URL': NOWHERE}}
    each = found()['redis.away']
    assert each.level == doctor.ERROR and 'queue low' in each.text


def test_a_stricter_isolation_is_reported(monkeypatch):
    class Cursor:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def execute(self, sql):
            self.answer = time.time() if 'isolation' not in sql else 'REPEATABLE-READ'

        def fetchone(self):
            return (self.answer,)

    class Connection:
        vendor = 'mysql'
        cursor = Cursor

    monkeypatch.setattr(servers, 'connections', {'default': Connection()})
    (each,) = servers.database_server()
    assert each.code == 'database.isolation' and 'REPEATABLE READ' in each.text


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


@pytest.mark.once
def test_the_table_of_findings_has_all_codes():
    table = {code for row in rows(DOCS / 'how-to' / 'health.md', '## Find out what is wrong') for code in names(row[0])}
    source = ''.join(path.read_text() for path in (DOCS.parent / 'netbox_jobs/monitoring/doctor').glob('*.py'))
    codes = set(re.findall(r"^\s+'((?:database|redis|workers|queues|schedules)\.\w+)'", source, re.MULTILINE))
    codes |= {'workers.none', 'database.clock', 'redis.clock'}
    assert table == codes | {'check.E001'}


def test_the_doctor_waits_no_longer_than_for_the_heartbeat_of_each_worker():
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            beat(seconds)

    found(sleep)
    assert len(waits) == 3
    assert pulse.live_workers([], sleep=sleep) == set() and len(waits) == 3


# Addresses


def test_live_asks_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = Client().get('/health/live')
    assert (answer.status_code, answer.json()) == (200, {'status': 'ok'})


def test_ready_says_whether_the_process_can_do_its_work(settings, monkeypatch):
    answer = Client().get('/health/ready')
    assert answer.status_code == 200
    assert answer.json() == {'status': 'ok', 'checks': {'database': 'ok', 'tables': 'ok', 'redis': 'ok'}}
    settings.RQ_QUEUES = {'default': {'URL': NOWHERE}}
    answer = Client().get('/health/ready')
    assert (answer.status_code, answer.json()['status'], answer.json()['checks']['redis']) == (
        200,
        'degraded',
        'failed',
    )
    connection.close_circuits()

    def refuse(*args):
        raise DBError('secret')

    monkeypatch.setattr(health.Worker.objects, 'using', refuse)
    answer = Client().get('/health/ready')
    assert (answer.status_code, answer.json()['status'], answer.json()['checks']['tables']) == (503, 'failed', 'failed')
    assert b'secret' not in answer.content

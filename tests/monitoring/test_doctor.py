"""`jobs doctor` and `jobs health`: each thing that can be wrong is found, and a sound installation is sound."""

import re
import time

import pytest
from django.db import Error as DBError
from django.db import connection as database_connection
from django.test import Client
from redis.exceptions import NoPermissionError, ResponseError

from netbox_jobs.broker import connection
from netbox_jobs.monitoring import doctor, health, pulse
from netbox_jobs.monitoring.doctor import clocks, redis_servers, servers
from netbox_jobs.testing.real_worker import embedded_redis
from tests.docs.blocks import DOCS, names, rows

from .examined import beat, found, sound

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ('sound',)  # which is there for each test

NOWHERE = 'redis://127.0.0.1:1/0'


def test_a_sound_installation_has_no_findings_but_those_of_the_settings_of_tests():
    assert {code for code in found() if not code.startswith('check.')} == set()


def test_the_system_checks_are_reported(settings):
    settings.NETBOX_JOBS = {'WORKER_TIMEOUT': 1}
    each = found()['check.E005']
    assert each.level == doctor.ERROR and 'WORKER_TIMEOUT' in each.text


def test_without_the_database_redis_is_examined_all_the_same(monkeypatch, settings):
    failed = health.Check('database', False, 'It does not answer.', detail='OperationalError: too many clients')
    monkeypatch.setattr(health, 'database_answer', lambda: failed)
    settings.RQ_QUEUES = {'default': {'URL': NOWHERE}}
    everything = [each for each in doctor.examine(beat) if not each.code.startswith('check.')]
    assert [each.code for each in everything] == ['redis.away', 'database.away']
    assert "'default'" in everything[-1].text and 'OperationalError: too many clients' in everything[-1].text


def test_a_database_that_goes_away_meanwhile_is_a_finding(monkeypatch):
    def refuse(sleep):
        raise DBError('server closed the\n connection')
        yield

    monkeypatch.setattr(doctor.work, 'findings', refuse)
    assert 'Error: server closed the connection' in found()['database.away'].text


def test_settings_that_cannot_be_used_end_the_examination_with_a_finding(settings):
    settings.NETBOX_JOBS = {'FOO': 1}
    connection._clients.clear()
    connection._queues.clear()
    everything = list(doctor.examine(beat))
    assert [each.code for each in everything].count('settings.unusable') == 1
    assert any(each.code == 'check.E004' and "'FOO'" in each.text for each in everything)
    settings.NETBOX_JOBS = {}
    settings.RQ_QUEUES = {'low': {'URL': NOWHERE}}
    assert {'check.E001', 'settings.unusable'} <= set(found())


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
    monkeypatch.setattr(clocks.time, 'time', lambda: now() - ahead)
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
    assert each.level == doctor.ERROR and 'queue low' in each.text and '127.0.0.1:1, database 0' in each.text


def test_a_redis_that_refuses_this_process_is_not_said_to_be_away(settings):
    parts = connection.queue('default').connection.connection_pool.connection_kwargs
    settings.RQ_QUEUES = {'default': {'URL': f'redis://{parts["host"]}:{parts["port"]}/99999'}}
    each = found()['redis.refused']
    assert each.level == doctor.ERROR and 'database 99999' in each.text and 'out of range' in each.text


@pytest.mark.process
def test_a_redis_that_takes_no_writes_is_reported(settings):
    with embedded_redis() as url:
        settings.RQ_QUEUES = {'default': {'URL': url}}
        client = connection.queue('default').connection
        assert 'redis.writes' not in found() and not client.exists(redis_servers._NO_LIST)
        client.config_set('maxmemory', 1)
        assert 'maxmemory' in found()['redis.writes'].text
        client.config_set('maxmemory', 0)
        client.replicaof('127.0.0.1', 1)
        each = found()['redis.writes']
        assert each.level == doctor.ERROR and 'read only replica' in each.text and 'the primary' in each.advice


def test_a_user_of_redis_that_may_not_push_to_lists_is_no_finding(monkeypatch):
    def refuse(*args):
        raise NoPermissionError('no permissions')

    monkeypatch.setattr(connection.queue('default').connection, 'lpushx', refuse)
    assert 'redis.writes' not in found()


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


def test_a_database_server_with_few_connections_left_is_reported(monkeypatch):
    assert 'database.connections' not in found()
    monkeypatch.setattr(servers, '_FULL', 0.0)
    told = [each.text for each in found().values() if each.code == 'database.connections']
    assert len(told) == (database_connection.vendor != 'sqlite')  # which has no connections to run out of
    assert all('of at most' in text for text in told)


def test_a_pooler_is_reported_unless_cursors_are_kept_off_it(monkeypatch):
    assert 'database.pooler' not in found()

    class Behind:
        class connection:
            class info:
                backend_pid = 0

        settings_dict = {}

    assert [each.code for each in servers._pooler('default', Behind, lambda sql: 1)] == ['database.pooler']
    Behind.settings_dict['DISABLE_SERVER_SIDE_CURSORS'] = True
    assert not list(servers._pooler('default', Behind, lambda sql: 1))


@pytest.mark.once
def test_the_table_of_findings_has_all_codes():
    table = {code for row in rows(DOCS / 'how-to' / 'health.md', '## Find out what is wrong') for code in names(row[0])}
    source = ''.join(path.read_text() for path in (DOCS.parent / 'netbox_jobs/monitoring/doctor').glob('*.py'))
    codes = set(
        re.findall(r"^\s+'((?:database|redis|workers|queues|schedules|jobs|settings)\.\w+)'", source, re.MULTILINE)
    )
    codes |= {'workers.none', 'database.clock', 'redis.clock', 'workers.clock'}
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

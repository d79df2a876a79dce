"""`enqueue()` while Redis is down or silent."""

import socket

import fakeredis
import pytest
from django.test import override_settings
from rq import SimpleWorker

from netbox_jobs.broker import delivery
from netbox_jobs.models import Job
from tests.app.jobs import Plain
from tests.broker.quick import connects, is_quick
from tests.processes import status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


def test_redis_down_the_call_succeeds_within_a_second_with_one_warning(caplog, work):
    down = {'default': {'HOST': '127.0.0.1', 'PORT': 1, 'DB': 0}}
    Plain.enqueue()
    with override_settings(RQ_QUEUES=down):
        jobs = []
        assert is_quick(lambda: jobs.append(Plain.enqueue(queue_name='tests.app.work')))
    warnings = [record for record in caplog.records if record.levelname == 'WARNING']
    assert [record.name for record in warnings] == ['netbox_jobs'] * len(jobs)
    assert 'is delivered when Redis is back' in warnings[0].getMessage()
    assert {status(job) for job in jobs} == {'pending'}


@override_settings(NETBOX_JOBS={})
def test_redis_silent_costs_well_under_a_second_once_and_nothing_after(monkeypatch):
    """Packets that vanish: the port accepts, and no server answers."""
    with socket.create_server(('127.0.0.1', 0)) as silent:
        server = {'default': {'HOST': '127.0.0.1', 'PORT': silent.getsockname()[1], 'DB': 0}}
        with override_settings(RQ_QUEUES=server):
            assert is_quick(Plain.enqueue)
            alone = connects(Plain.enqueue, monkeypatch)
            assert connects(lambda: [Plain.enqueue() for _ in range(6)], monkeypatch) == alone > 0
    assert set(Job.objects.values_list('status', flat=True)) == {'pending'}


def test_a_fake_redis_will_do_in_a_test(monkeypatch):
    server = fakeredis.FakeStrictRedis()
    monkeypatch.setattr('django_rq.connection_utils.get_redis_connection', lambda *args, **kwargs: server)
    job = Plain.enqueue()
    assert delivery.queue('default').connection is server
    SimpleWorker([delivery.queue('default')], connection=server).work(burst=True)
    assert status(job) == 'completed'

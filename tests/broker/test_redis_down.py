"""`enqueue()` while Redis is down or silent."""

import socket
import time

import fakeredis
import pytest
from django.test import override_settings
from rq import SimpleWorker

from netbox_jobs.broker import delivery
from netbox_jobs.models import Job
from tests.app.jobs import (
    Plain,
)
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def test_redis_down_the_call_succeeds_within_a_second_with_one_warning(caplog, work):
    down = {'default': {'HOST': '127.0.0.1', 'PORT': 1, 'DB': 0}}
    Plain.enqueue()
    with override_settings(RQ_QUEUES=down):
        begin = time.monotonic()
        job = Plain.enqueue(queue_name='tests.app.work')
        assert time.monotonic() - begin < 1
    warnings = [record for record in caplog.records if record.levelname == 'WARNING']
    assert [record.name for record in warnings] == ['netbox_jobs']
    assert 'is delivered when Redis is back' in warnings[0].getMessage()
    assert status(job) == 'pending'


def test_redis_silent_costs_well_under_a_second_once_and_nothing_after(caplog):
    """Packets that vanish: the port accepts, and no server answers."""
    with socket.create_server(('127.0.0.1', 0)) as silent:
        server = {'default': {'HOST': '127.0.0.1', 'PORT': silent.getsockname()[1], 'DB': 0}}
        with override_settings(RQ_QUEUES=server):
            begin = time.monotonic()
            Plain.enqueue()
            first = time.monotonic() - begin
            begin = time.monotonic()
            for _ in range(5):
                Plain.enqueue()
            others = time.monotonic() - begin
    assert first < 1
    assert others < 1  # five times the time limit of an answer would be more
    assert Job.objects.filter(status='pending').count() == 6


def test_a_fake_redis_will_do_in_a_test(monkeypatch):
    server = fakeredis.FakeStrictRedis()
    monkeypatch.setattr('django_rq.connection_utils.get_redis_connection', lambda *args, **kwargs: server)
    job = Plain.enqueue()
    assert delivery.queue('default').connection is server
    SimpleWorker([delivery.queue('default')], connection=server).work(burst=True)
    assert status(job) == 'completed'

"""A sound installation, for the tests of the doctor."""

from datetime import UTC, datetime

import pytest
from django.db.models import F
from rq import Worker as RQWorker
from rq.utils import utcformat

from netbox_jobs.broker import connection
from netbox_jobs.core import versions
from netbox_jobs.models import Worker
from netbox_jobs.monitoring import doctor


def utcnow():
    return datetime.now(UTC)


@pytest.fixture(autouse=True)
def sound(monkeypatch, settings):
    """All queues are served by a worker that lives: waiting for its heartbeat gives one."""
    queues = ' '.join(settings.RQ_QUEUES)
    Worker.objects.create(token='w', name='w', host='h', pid=1, queues=queues, version=versions.running())
    client = connection.queue('default').connection
    client.sadd(RQWorker.redis_workers_keys, RQWorker.redis_worker_namespace_prefix + 'w')
    rq_heartbeat(utcnow())


def rq_heartbeat(moment, name='w', **other):
    client = connection.queue('default').connection
    fields = {'queues': 'default,low', 'pid': 1, 'hostname': 'h', 'last_heartbeat': utcformat(moment), **other}
    client.hset(RQWorker.redis_worker_namespace_prefix + name, mapping=fields)


def beat(seconds):
    Worker.objects.filter(token='w').update(beats=F('beats') + 1)


def found(sleep=beat):
    return {each.code: each for each in doctor.examine(sleep)}

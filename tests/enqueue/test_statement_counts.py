"""What an `enqueue()` costs, counted: statements, connections, commands."""

import uuid
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from redis import Redis
from redis.client import Pipeline
from rq import Queue

from netbox_jobs.models import Job
from tests.app.jobs import Plain
from tests.app.models import Thing
from tests.processes import RedisProcess

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def redis() -> Iterator[Redis]:
    """A server of our own, whose counters no other client moves."""
    process = RedisProcess()
    with override_settings(RQ_QUEUES={'default': {'URL': process.url}}), Redis.from_url(process.url) as client:
        yield client
    process.kill()


def commands(redis, act):
    """The commands, and the connections, that Redis has seen because of it."""
    before = redis.info('stats')
    act()
    after = redis.info('stats')
    own = 1  # the INFO that tells
    return (
        after['total_commands_processed'] - before['total_commands_processed'] - own,
        after['total_connections_received'] - before['total_connections_received'],
    )


@pytest.mark.parametrize('about', [False, True])
def test_a_warm_enqueue_is_one_insert(about):
    call = {'instance': Thing.objects.create(), 'user': User.objects.create()} if about else {}
    Plain.enqueue(word='x', **call)
    with CaptureQueriesContext(connection) as captured:
        Plain.enqueue(word='x', **call)
    assert [query['sql'].split()[0] for query in captured] == ['INSERT']


@pytest.mark.process
@pytest.mark.once
def test_a_warm_enqueue_opens_no_connection_and_sends_redis_no_more_than_rq_does(redis):
    raw = Queue('raw', connection=Redis.from_url(_url(redis)))

    def enqueue_raw():
        raw.enqueue('os.getpid', job_id=str(uuid.uuid4()))

    enqueue_raw()
    Plain.enqueue()
    floor, _ = commands(redis, enqueue_raw)
    ours, connections = commands(redis, Plain.enqueue)
    assert connections == 0
    assert ours == 3 < floor  # the name of the queue, the fields, the id


@pytest.mark.process
@pytest.mark.once
def test_the_hundredth_job_of_enqueue_many_costs_redis_one_command_where_rqs_own_costs_three(redis):
    raw = Queue('raw', connection=Redis.from_url(_url(redis)))

    def many(number):
        return lambda: Plain.enqueue_many([{}] * number)

    def many_raw(number):
        return lambda: raw.enqueue_many(
            [Queue.prepare_data('os.getpid', job_id=str(uuid.uuid4())) for _ in range(number)]
        )

    many(1)(), many_raw(1)()
    ours = commands(redis, many(100))[0] - commands(redis, many(10))[0]
    floor = commands(redis, many_raw(100))[0] - commands(redis, many_raw(10))[0]
    assert (ours, floor) == (90, 3 * 90)


def _url(redis):
    return 'redis://{host}:{port}/0'.format(**redis.connection_pool.connection_kwargs)


@pytest.mark.process
def test_what_one_transaction_enqueues_is_one_insert_each_and_one_pipeline(redis, monkeypatch):
    Plain.enqueue()
    sent = []
    execute = Pipeline.execute
    monkeypatch.setattr(Pipeline, 'execute', lambda self, *args: sent.append(len(self)) or execute(self, *args))
    with CaptureQueriesContext(connection) as captured, transaction.atomic():
        jobs = [Plain.enqueue(word=str(number)) for number in range(5)]
    assert [query['sql'].split()[0] for query in captured].count('INSERT') == 5
    assert len(sent) == 1
    assert [id.decode() for id in redis.lrange('rq:queue:default', 1, -1)] == [str(job.job_id) for job in jobs]


@pytest.mark.process
def test_deliveries_keep_their_place_among_callbacks_and_their_savepoints(redis):
    order, client = [], redis

    def note():
        order.append(client.llen('rq:queue:default'))

    with transaction.atomic():
        Plain.enqueue()
        with transaction.atomic():
            Plain.enqueue()
            Plain.enqueue()
            transaction.set_rollback(True)
        Plain.enqueue()
        transaction.on_commit(note)
        with transaction.atomic():
            Plain.enqueue()
        transaction.on_commit(note)
    assert order == [2, 3]
    assert Job.objects.count() == 3

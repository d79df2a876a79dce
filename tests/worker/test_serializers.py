"""A queue with a serializer of its own: workers use that of their queues."""

import pytest

from netbox_jobs.broker import delivery
from tests.app.jobs import Plain, Sleeping
from tests.processes import status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process, pytest.mark.once]
JSON = 'rq.serializers.JSONSerializer'


@pytest.fixture
def coded(settings):
    settings.RQ_QUEUES = {**settings.RQ_QUEUES, 'coded': {**settings.RQ_QUEUES['default'], 'SERIALIZER': JSON}}


@pytest.mark.parametrize(
    ('command', 'arguments'), [('rqworker', ()), ('rqworker', ('--fast',)), ('rqworker-pool', ('--num-workers', '1'))]
)
def test_a_worker_uses_the_serializer_of_its_queues(coded, start_worker, command, arguments):
    jobs = [Plain.enqueue(queue_name='coded', word='x'), *Plain.enqueue_many([{}, {}], queue_name='coded')]
    start_worker('coded', *arguments, command=command, TEST_SERIALIZER=JSON)
    for job in jobs:
        wait_for(lambda job=job: status(job) == 'completed', 60, job.error)
    job = Sleeping.enqueue(queue_name='coded', seconds=60)
    wait_for(lambda: status(job) == 'running')
    assert job.stop()
    wait_for(lambda: status(job) == 'canceled')


def test_what_redis_has_lost_is_delivered_again_with_the_serializer_of_its_queue(coded, start_worker):
    job = Plain.enqueue(queue_name='coded')
    delivery.queue('coded').connection.flushdb()
    start_worker('coded', TEST_SERIALIZER=JSON)
    wait_for(lambda: status(job) == 'completed', 60)


def test_queues_of_different_serializers_are_refused_by_name(start_worker):
    worker = start_worker('default', 'coded', TEST_SERIALIZER=JSON)
    wait_for(lambda: worker.process.poll() is not None, 60)
    said = f'run one worker for each group: default (rq.serializers.DefaultSerializer); coded ({JSON}).'
    assert said in ' '.join(worker.output.split())


def test_the_serializer_that_is_named_counts(start_worker):
    worker = start_worker('default', 'coded', '--serializer', JSON, '--burst', TEST_SERIALIZER=JSON)
    wait_for(lambda: worker.process.poll() == 0, 60)

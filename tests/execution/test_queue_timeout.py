"""`DEFAULT_TIMEOUT` of a queue: what RQ takes counts, and what is no time limit is said at start."""

import pytest

from netbox_jobs import checks
from netbox_jobs.broker import delivery as broker_delivery
from netbox_jobs.core import queues
from netbox_jobs.execution.entry import run_delivered
from tests.app.jobs import Plain
from tests.processes import status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


@pytest.mark.parametrize(('limit', 'said'), [('2s', 2), ('10m', 600), (5.5, 5), (0, 180), (None, 180), (-1, -1)])
def test_the_limit_of_a_queue_may_be_whatever_rq_takes(settings, work, limit, said):
    settings.RQ_QUEUES = {**settings.RQ_QUEUES, 'low': {**settings.RQ_QUEUES['default'], 'DEFAULT_TIMEOUT': limit}}
    assert queues.timeout('low') == said
    assert checks.check_queues() == []
    job = Plain.enqueue(queue_name='low')
    work()
    assert status(job) == 'completed'


@pytest.mark.parametrize('limit', ['soon', '', -5, True, False, float('nan'), 10**12, [], [1], {}, ()])
def test_the_limit_of_a_queue_that_is_none_is_said_and_leaves_no_job_running(settings, limit):
    settings.RQ_QUEUES = {**settings.RQ_QUEUES, 'low': {**settings.RQ_QUEUES['default'], 'DEFAULT_TIMEOUT': limit}}
    found = checks.check_queues()
    assert [error.id for error in found] == ['netbox_jobs.E013']
    with broker_delivery.withheld():
        job = Plain.enqueue(queue_name='low')
    run_delivered(str(job.job_id))
    assert status(job) == 'errored'
    assert 'DEFAULT_TIMEOUT' in job.error

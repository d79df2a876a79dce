"""`real_worker()` and the fixture `job_worker`: a worker in a process of its own, with a Redis of its own."""

import os
import tomllib
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import override_settings

from netbox_jobs import pytest_plugin
from netbox_jobs.testing import real_worker
from tests.app.jobs import Plain
from tests.app.models import Trace

pytestmark = pytest.mark.once


@pytest.mark.process
def test_a_worker_runs_what_the_test_commits_and_is_gone_afterwards(job_worker):
    assert settings.RQ_QUEUES['default']['URL'] != os.environ['TEST_REDIS_URL']
    job = job_worker.wait_for(Plain.enqueue(whom='world', queue_name='low'), 60)
    assert (job.status, job.data) == ('completed', {'whom': 'world'})
    assert Trace.objects.filter(job_pk=job.pk).exclude(pid=os.getpid()).count() == 2
    assert 'Serving' in job_worker.output


@pytest.mark.process
def test_an_asynchronous_test_awaits_the_end_of_a_job(job_worker):
    async def test() -> None:
        job = await job_worker.await_for(await Plain.aenqueue(whom='world'), 60)
        assert job.status == 'completed'

    async_to_sync(test)()


@pytest.mark.process
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_does_not_start_is_shown(job_redis_url):
    expected = pytest.raises(AssertionError, match=r"(?s)has ended.*There is no queue 'nowhere'")
    with expected, real_worker('nowhere', redis_url=job_redis_url):
        raise AssertionError('not reached')


@pytest.mark.django_db
def test_a_transaction_that_the_worker_would_not_see_is_refused():
    with pytest.raises(ImproperlyConfigured, match='TransactionTestCase'), real_worker():
        raise AssertionError('not reached')


@pytest.mark.django_db(transaction=True)
@override_settings(NETBOX_JOBS={'DELIVER': False})
def test_a_worker_does_not_start_where_nothing_is_delivered():
    with pytest.raises(CommandError, match='DELIVER'):
        call_command('rqworker')


def test_pytest_finds_the_plugin_by_itself():
    project = tomllib.loads((Path(__file__).parents[2] / 'pyproject.toml').read_text())['project']
    assert project['entry-points']['pytest11'] == {'netbox_jobs': pytest_plugin.__name__}

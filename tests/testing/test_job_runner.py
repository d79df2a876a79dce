"""`job_runner()`: one run without a row, and without a database."""

import asyncio
import logging

import pytest
from django.contrib.auth import get_user_model

from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner
from netbox_jobs.testing import job_runner
from tests.app.models import Thing


class Greeting(JobRunner):
    class Meta:
        name = 'Greeting'

    def run(self, whom, times=1):
        self.logger.info('Hello, %s', whom)
        self.job.data = {'greeted': whom}
        self.job.save()
        for _ in self.track(range(times), message='greeting'):
            pass
        self.check_canceled()
        return f'{self.job.object}, {self.job.user}, {self.job.name}, {self.job.interval}'


class Refusing(JobRunner):
    def run(self):
        raise JobFailed('no')


class Unstorable(JobRunner):
    def run(self):
        self.job.data = {'a': {1, 2}}


class Coroutine(JobRunner):
    async def run(self, whom):
        await asyncio.sleep(0)
        return whom


def test_run_returns_what_it_returns_and_the_job_has_what_it_leaves():
    runner = job_runner(Greeting, instance=Thing(name='a thing'), user=get_user_model()(username='u'), interval=5)
    assert runner.run(whom='world', times=2) == 'a thing, u, Greeting, 5'
    assert runner.job.data == {'greeted': 'world'}
    assert [(line['level'], line['message']) for line in runner.job.log_entries] == [('info', 'Hello, world')]
    assert (runner.job.progress.current, runner.job.progress.total, runner.job.progress.message) == (2, 2, 'greeting')
    assert (runner.job.pk, runner.job.status, runner.job.ended) == (None, 'running', False)


def test_lines_reach_the_handlers_of_the_project_too(caplog):
    with caplog.at_level(logging.INFO):
        job_runner(Greeting).run(whom='world')
    assert 'Hello, world' in caplog.text


def test_run_raises_what_it_raises():
    with pytest.raises(JobFailed, match='no'):
        job_runner(Refusing).run()


def test_an_argument_that_run_does_not_take_is_named():
    with pytest.raises(TypeError, match=r"unexpected keyword 'whon'.*'whom'"):
        job_runner(Greeting).run(whon='world')


def test_data_that_cannot_be_stored_is_named():
    with pytest.raises(TypeError, match=r"job.data\['a'\] \(set\)"):
        job_runner(Unstorable).run()


def test_a_coroutine_is_awaited():
    assert asyncio.run(job_runner(Coroutine).run(whom='world')) == 'world'

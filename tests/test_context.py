"""`current_job()`: which job the code belongs to, anywhere in its call stack."""

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest
from asgiref.sync import async_to_sync

from netbox_jobs.context import JobIdFilter
from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner, current_job
from netbox_jobs.models import Job
from tests.app.jobs import Asynchronous, Plain, coroutine_function
from tests.app.models import Trace
from tests.processes import status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


def where():
    job = current_job()
    return job.pk if job is not None else None


class Looking(JobRunner):
    def run(self, how='here'):
        seen = []
        if how == 'here':
            seen = [where()]
        elif how == 'asyncio':

            async def look():
                return where(), await asyncio.to_thread(where)

            seen = asyncio.run(look())
        elif how == 'thread':
            thread = threading.Thread(target=lambda: seen.append(where()))
            thread.start()
            thread.join()
        elif how == 'pool':
            with ThreadPoolExecutor(2) as pool:
                seen = list(pool.map(lambda _: where(), range(3)))
        elif how == 'copied':
            context = copy_context()
            thread = threading.Thread(target=lambda: seen.append(context.run(where)))
            thread.start()
            thread.join()
        elif how == 'nested':
            inner = Looking.enqueue(immediate=True)
            seen = [where(), inner.data == [inner.pk], where()]
        elif how == 'thread of nested':
            inner = Looking.enqueue(immediate=True, how='thread')
            self.job.data = inner.data
            return
        self.job.data = list(seen)


def test_outside_of_a_job_there_is_none():
    assert current_job() is None


@pytest.mark.parametrize('how', ['here', 'asyncio', 'copied'])
def test_in_an_immediate_job(how):
    job = Looking.enqueue(immediate=True, how=how)
    assert set(job.data) == {job.pk}
    assert current_job() is None


@pytest.mark.parametrize('how', ['here', 'asyncio', 'copied', 'thread', 'pool'])
def test_in_a_worker_threads_belong_to_the_job_too(how, work):
    job = Looking.enqueue(how=how)
    work()
    job.refresh_from_db()
    assert set(job.data) == {job.pk}
    assert current_job() is None


def test_nested_jobs_are_told_apart(work):
    job = Looking.enqueue(how='nested')
    work()
    job.refresh_from_db()
    assert job.data == [job.pk, True, job.pk]


def test_a_thread_of_a_nested_job_is_not_taken_for_one_of_the_outer_job(work):
    job = Looking.enqueue(how='thread of nested')
    work()
    job.refresh_from_db()
    assert job.data == [None]


def test_log_records_of_any_logger_can_carry_the_id():
    class Speaking(JobRunner):
        def run(self):
            logging.getLogger('another.package').warning('from within')

    lines = []

    class Keeping(logging.Handler):
        def emit(self, record):
            lines.append(f'{record.job_id} {record.job_name} {record.getMessage()}')

    handler = Keeping()
    handler.addFilter(JobIdFilter())
    other = logging.getLogger('another.package')
    other.addHandler(handler)
    try:
        job = Speaking.enqueue(immediate=True)
        other.warning('from outside')
    finally:
        other.removeHandler(handler)
    assert lines == [f'{job.job_id} Speaking from within', '- - from outside']


# Coroutines


def test_run_may_be_a_coroutine_function(work):
    job = Asynchronous.enqueue()
    work()
    assert status(job) == 'completed'
    assert job.data == {'job': job.pk}
    assert [entry['message'] for entry in job.log_entries] == ['in a coroutine']


def test_a_coroutine_runs_with_immediate_and_as_a_plain_function():
    assert Asynchronous.enqueue(immediate=True).data is not None
    assert Job.enqueue(coroutine_function, immediate=True, word='w').data == {'word': 'w'}


def test_a_coroutine_function_runs_in_a_worker(work):
    job = Job.enqueue(coroutine_function, word='w')
    work()
    assert (status(job), job.data) == ('completed', {'word': 'w'})


def test_what_a_coroutine_raises_ends_its_job():
    class Failing(JobRunner):
        async def run(self, error):
            await asyncio.sleep(0)
            raise error

    assert Failing.enqueue(immediate=True, error=JobFailed('no')).status == 'failed'
    job = Failing.enqueue(immediate=True, error=KeyError('k'))
    assert (job.status, job.error) == ('errored', "KeyError('k')")


def test_the_time_limit_cancels_a_coroutine(work):
    job = Asynchronous.enqueue(seconds=60, job_timeout=1)
    work()
    assert status(job) == 'errored'
    assert 'maximum timeout' in job.error
    assert Trace.objects.filter(job_pk=job.pk, what='cleaned').exists()


def test_plain_jobs_run_beside_an_event_loop_of_other_code():
    async def main():
        return await Plain.aenqueue(immediate=True)

    assert async_to_sync(main)().status == 'completed'

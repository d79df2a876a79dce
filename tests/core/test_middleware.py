"""`NETBOX_JOBS['MIDDLEWARE']`: around each call that enqueues, and around each run."""

import asyncio

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction

from netbox_jobs.context import current_job
from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job
from tests.processes import status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]

#: What has happened, in order.
seen: list = []


class Sync(JobRunner):
    class Meta:
        name = 'Middleware sync'

    def run(self, word='', error=False):
        with connection.cursor() as cursor:  # in the thread that has the connection of the test
            cursor.execute('SELECT 1')
        seen.append(f'run {word}')
        if error:
            raise ValueError('of run()')


class Async(JobRunner):
    class Meta:
        name = 'Middleware async'

    async def run(self, word='', error=False):
        await asyncio.sleep(0)
        seen.append(f'run {word}')
        if error:
            raise ValueError('of run()')


def function(job, word=''):
    seen.append(f'run {word}')


class Outer:
    def around_enqueue(self, call, proceed):
        seen.append(f'outer enqueues {len(call.calls)} of {call.runner.rpartition(".")[2]}')
        proceed()
        seen.append(f'outer has {[job.name for job in call.jobs]}')

    def around_run(self, job, proceed):
        assert current_job() == job and job.status == 'running'
        seen.append('outer begins')
        try:
            proceed()
        finally:
            seen.append('outer ends')


class Inner:
    async def around_enqueue(self, call, proceed):
        await asyncio.sleep(0)
        for keywords in call.calls:
            keywords['word'] = 'changed'
        await proceed()

    async def around_run(self, job, proceed):
        seen.append('inner begins')
        await asyncio.sleep(0)
        await proceed()
        seen.append('inner ends')


def make_refusing():
    """A function of the setting, instead of a class."""

    class Refusing:
        def around_enqueue(self, call, proceed):
            raise ValueError('not now')

    return Refusing()


class Failing:
    def around_run(self, job, proceed):
        proceed()
        raise JobFailed('of the middleware')


class Catching:
    def around_run(self, job, proceed):
        try:
            proceed()
        except ValueError:
            seen.append('caught')


class Skipping:
    def around_enqueue(self, call, proceed):
        pass

    def around_run(self, job, proceed):
        pass


class Forgetful:
    async def around_run(self, job, proceed):
        proceed().close()  # instead of `await proceed()`


class Twice:
    def around_run(self, job, proceed):
        proceed()
        proceed()


class RaisingAfter:
    def around_enqueue(self, call, proceed):
        proceed()
        raise ValueError('after')


class Nothing:
    """No middleware."""


@pytest.fixture
def use(settings):
    def use(*names):
        seen.clear()
        settings.NETBOX_JOBS = {'MIDDLEWARE': [f'{__name__}.{name}' for name in names]}

    return use


RUN = ['outer begins', 'inner begins', 'run changed', 'inner ends', 'outer ends']


@pytest.mark.parametrize('runner', [Sync, Async])
def test_the_first_is_the_outermost_whether_it_and_the_run_are_asynchronous_or_not(use, work, runner):
    use('Outer', 'Inner')
    job = runner.enqueue(word='x')
    assert seen == [f'outer enqueues 1 of {runner.__name__}', f'outer has {[runner.name]}']
    seen.clear()
    work()
    assert status(job) == 'completed' and seen == RUN
    use('Inner', 'Outer')
    runner.enqueue(immediate=True)
    assert seen[1:-1] == ['inner begins', 'outer begins', 'run changed', 'outer ends', 'inner ends']


def test_functions_batches_retries_and_successors_pass_it_too(use, work):
    use('Outer', 'Inner')
    jobs = [Job.enqueue(function, word='x'), *Sync.enqueue_many([{}, {}])]
    assert 'outer enqueues 2 of Sync' in seen
    seen.clear()
    work()
    assert seen == RUN * 3 and {status(job) for job in jobs} == {'completed'}
    seen.clear()
    Job.objects.get(pk=jobs[1].pk).retry()
    assert seen[0] == 'outer enqueues 1 of Sync'
    seen.clear()
    first = Sync.enqueue_once(interval=5)
    assert Sync.enqueue_once(interval=5) == first
    assert seen == ['outer enqueues 1 of Sync', "outer has ['Middleware sync']"], 'the second call enqueues nothing'
    work()
    assert seen.count('outer enqueues 1 of Sync') == 2 and Job.objects.filter(predecessor=first).exists()


def test_what_around_enqueue_raises_the_call_raises(use):
    use('make_refusing')
    for enqueue in (Sync.enqueue, Sync.enqueue_once, lambda: Sync.enqueue_many([{}]), lambda: Job.enqueue(function)):
        with pytest.raises(ValueError, match='not now'):
            enqueue()
    assert not Job.objects.exists()
    use('RaisingAfter')
    with pytest.raises(ValueError, match='after'), transaction.atomic():
        Sync.enqueue()
    assert not Job.objects.exists()
    use('Skipping')
    with pytest.raises(RuntimeError, match=r'Skipping.around_enqueue\(\) has not called proceed'):
        Sync.enqueue()


@pytest.mark.parametrize('runner', [Sync, Async])
@pytest.mark.parametrize(
    'names, given, ends',
    [
        (['Failing'], {}, ('failed', 'of the middleware')),
        (['Catching'], {'error': True}, ('completed', '')),
        (['Outer', 'Inner'], {'error': True}, ('errored', 'of run()')),
        (['Skipping'], {}, ('errored', 'has not called proceed()')),
        (['Forgetful'], {}, ('errored', 'not awaited it')),
        (['Twice'], {}, ('errored', 'has called proceed() twice')),
    ],
    ids=str,
)
def test_what_around_run_raises_ends_the_job_as_if_run_had_raised_it(use, work, runner, names, given, ends):
    use()
    job = runner.enqueue(**given)
    use(*names)
    work()
    job.refresh_from_db()
    assert job.status == ends[0] and ends[1] in job.error
    assert seen.count('run ') <= 1


@pytest.mark.parametrize('name', ['Nothing', 'missing', 'Outer.around_run'])
def test_what_is_no_middleware_is_found_by_the_check_and_by_the_call(use, name):
    use(name)
    assert 'netbox_jobs.E016' in [found.id for found in run_checks()]
    with pytest.raises(ImproperlyConfigured, match=name):
        Sync.enqueue()
    assert not Job.objects.exists()


def test_without_middleware_nothing_is_built(use, monkeypatch, work):
    use()
    monkeypatch.setattr('netbox_jobs.core.middleware._surround', None)
    job = Sync.enqueue()
    work()
    assert status(job) == 'completed'


def test_what_cannot_be_enqueued_is_refused_as_without_middleware(use):
    use('Outer')
    with pytest.raises(TypeError, match='expected a function of a module, or a JobRunner subclass'):
        Job.enqueue('tests.app.jobs.plain_function')
    assert seen == []

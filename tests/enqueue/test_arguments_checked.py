"""A keyword that is neither an option nor an argument of `run()` is refused in the call, before anything is written."""

import pytest

from netbox_jobs.core.registry import system_jobs
from netbox_jobs.exceptions import UnsupportedOption
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Plain, Translating, plain_function
from tests.app.models import Thing
from tests.processes import status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


class Exact(JobRunner):
    def run(self, word='w', *, times=1):
        self.job.data = {'word': word, 'times': times}


class NoArguments(JobRunner):
    def run(self):
        pass


class PositionalOnly(JobRunner):
    def run(self, word=None, /):
        pass


class Coroutine(JobRunner):
    async def run(self, word='w'):
        pass


class Handling(JobRunner):
    """Its `handle()` takes arguments of its own."""

    @classmethod
    def handle(cls, job, *args, extra=None, **kwargs):
        super().handle(job, *args, **kwargs)

    def run(self, word='w'):
        pass


class Adding(JobRunner):
    """Its `enqueue()` adds an argument that `run()` does not take."""

    @classmethod
    def enqueue(cls, *args, **kwargs):
        return super().enqueue(*args, added=1, **kwargs)

    def run(self, word='w'):
        pass


def assert_nothing_written():
    assert not Job.objects.exists()
    assert not Schedule.objects.exists()


CALLS = {
    'enqueue': lambda runner, **given: runner.enqueue(**given),
    'enqueue_once': lambda runner, **given: runner.enqueue_once(**given),
    'enqueue_many': lambda runner, **given: runner.enqueue_many([{}, given]),
    'enqueue_many for all': lambda runner, **given: runner.enqueue_many([{}], **given),
    'immediate': lambda runner, **given: runner.enqueue(immediate=True, **given),
    'using': lambda runner, **given: runner.using(interval=5).enqueue(**given),
    'using once': lambda runner, **given: runner.using(interval=5).enqueue_once(**given),
}


@pytest.mark.parametrize('call', CALLS)
@pytest.mark.parametrize(
    ('given', 'words'),
    [
        ({'intervall': 5}, r"unexpected keyword 'intervall'.*Did you mean the option 'interval'\?"),
        ({'queue': 'low'}, "unexpected keyword 'queue'"),
        ({'scheduled_at': None}, "option 'schedule_at'"),
        ({'wort': 'x'}, "argument 'word'"),
        ({'timez': 'x'}, "argument 'times'"),
        ({'zzzzz': 1}, 'It takes times, word'),
        ({'timezone': 'UTC'}, "the option 'timezone' without 'cron'.*Pass cron as well"),
        ({'word': 'x', 'zzzzz': 1}, "'zzzzz'"),
    ],
)
def test_a_keyword_that_run_does_not_take_is_refused_with_the_nearest_name(call, given, words):
    with pytest.raises(TypeError, match=rf'Exact\.enqueue.*{words}'):
        CALLS[call](Exact, **given)
    assert_nothing_written()


@pytest.mark.parametrize('call', CALLS)
@pytest.mark.parametrize('runner', [Exact, Coroutine, Plain])
def test_what_run_takes_is_passed(call, runner):
    CALLS[call](runner, word='x')
    assert Job.objects.exclude(arguments=b'').exists()


@pytest.mark.parametrize('runner', [NoArguments, PositionalOnly])
def test_a_run_without_arguments_says_so(runner):
    with pytest.raises(TypeError, match='It takes no arguments'):
        runner.enqueue(zzzzz=1)
    with pytest.raises(TypeError):
        runner.enqueue(word='x')
    assert_nothing_written()


def test_a_run_with_kwargs_takes_all():
    assert Plain.enqueue(intervall=5).get_arguments() == {'intervall': 5}


def test_a_runner_with_a_handle_of_its_own_takes_all():
    assert Handling.enqueue(extra=1, intervall=2).get_arguments() == {'extra': 1, 'intervall': 2}


def test_a_function_takes_all():
    assert Job.enqueue(plain_function, intervall=5).get_arguments() == {'intervall': 5}


def test_an_overridden_enqueue_is_checked_behind_it():
    assert Translating.enqueue(kind='x').get_arguments() == {'kinds': ['X']}
    assert Translating.enqueue_once(kind='y').get_arguments() == {'kinds': ['Y']}
    with pytest.raises(TypeError, match='intervall'):
        Translating.enqueue(intervall=5)
    with pytest.raises(TypeError, match='intervall'):
        Translating.enqueue_once(intervall=5)
    assert Job.objects.count() == 2


@pytest.mark.parametrize('call', ['enqueue', 'enqueue_once', 'enqueue_many'])
def test_what_an_overridden_enqueue_adds_is_checked_as_well(call):
    with pytest.raises(TypeError, match="'added'"):
        CALLS[call](Adding)
    assert_nothing_written()


def test_setup_refuses_it_when_the_site_starts(monkeypatch):
    monkeypatch.setattr('netbox_jobs.execution.runner.system_jobs', dict(system_jobs))
    with pytest.raises(TypeError, match=r"Exact\.setup\(\) .*'intervall'"):
        Exact.setup(interval=5, intervall=5)
    Exact.setup(interval=5, queue_name='low', word='x')
    Translating.setup(interval=5, kind='x')


def test_the_names_of_options_that_a_call_of_using_mistakes():
    with pytest.raises(
        TypeError, match=r"Exact\.using\(\) got an unknown option 'intervall'\. Did you mean 'interval'\?"
    ):
        Exact.using(intervall=5)
    with pytest.raises(TypeError, match='The options are after, at_front, cron'):
        Exact.using(zzzzz=5)
    with pytest.raises(UnsupportedOption, match='use max_retries='):
        Exact.using(retry=3)
    with pytest.raises(TypeError, match='by their names'):
        Exact.using().enqueue('x')
    assert_nothing_written()


# The signature of run() may have changed since a job was stored


@pytest.fixture
def renamed(monkeypatch):
    """Rename an argument of `Exact.run()`, as a release may."""

    def rename():
        def run(self, name_of_word='w'):
            self.job.data = {'word': name_of_word}

        monkeypatch.setattr(Exact, 'run', run)

    return rename


@pytest.mark.parametrize('once', [True, False])
def test_p4_a_successor_is_made_although_run_takes_its_arguments_no_longer(once, work, renamed, caplog, settings):
    settings.NETBOX_JOBS = {'RUNNER_GRACE': 0}  # else another worker, with the code that takes them, has its chance
    call = Exact.enqueue_once if once else Exact.enqueue
    job = call(instance=Thing.objects.create(), interval=10, word='x')
    renamed()
    work()
    assert status(job) == 'errored'
    assert "does not take the argument 'word'" in Job.objects.get(pk=job.pk).error
    after = Job.objects.get(predecessor=job)
    assert (after.status, after.get_arguments(), after.object) == ('scheduled', {'word': 'x'}, job.object)
    assert 'the row is copied instead' in caplog.text


def test_a_retry_of_a_job_whose_arguments_run_takes_no_longer_is_refused(work, renamed):
    job = Exact.enqueue(word='x')
    work()
    renamed()
    ended = Job.objects.get(pk=job.pk)
    with pytest.raises(TypeError, match=r"'word'.*It takes name_of_word"):
        ended.retry()
    assert Job.objects.count() == 1


def test_a_waiting_job_keeps_its_arguments_when_enqueue_once_names_none(renamed):
    job = Exact.enqueue_once(interval=10, word='x')
    renamed()
    assert Exact.enqueue_once(interval=20).pk == job.pk
    assert Exact.enqueue_once(interval=20, name_of_word='y').get_arguments() == {'name_of_word': 'y'}

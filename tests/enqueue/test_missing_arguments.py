"""P8: a call that lacks an argument which `run()` requires is refused, and the error names it."""

import functools
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from netbox_jobs.jobs import JobRunner, Throttle, Unique
from netbox_jobs.models import Job, Schedule, UniqueJob
from tests.app.jobs import Plain
from tests.app.models import Thing

pytestmark = pytest.mark.django_db(transaction=True)


class Demanding(JobRunner):
    def run(self, url, depth, *, mode='quick', **kwargs):
        self.job.data = [url, depth, mode]


class DemandingOnce(JobRunner):
    class Meta:
        unique = Unique(by=('arguments.url',))

    def run(self, url):
        self.job.data = url


class Handled(JobRunner):
    """Receives what its own `handle()` passes."""

    @classmethod
    def handle(cls, job, *args, **kwargs):
        super().handle(job, url='own', **kwargs)

    def run(self, url):
        self.job.data = url


class Completed(JobRunner):
    """Its `enqueue()` adds what callers leave out."""

    @classmethod
    def enqueue(cls, *args, **kwargs):
        return super().enqueue(*args, **{'url': 'added', **kwargs})

    def run(self, url):
        self.job.data = url


def with_url(run):
    @functools.wraps(run)
    def wrapped(self, *args, **kwargs):
        return run(self, 'passed', *args, **kwargs)

    return wrapped


class Decorated(JobRunner):
    @with_url
    def run(self, url):
        self.job.data = url


NOW = timezone.now()
CALLS = {
    'enqueue': lambda: Demanding.enqueue(depth=1),
    'by its options': lambda: Demanding.using(queue_name='low').enqueue(depth=1),
    'at a time': lambda: Demanding.enqueue(depth=1, schedule_at=NOW + timedelta(hours=1)),
    'periodic': lambda: Demanding.enqueue(depth=1, interval=5),
    'by cron': lambda: Demanding.enqueue(depth=1, cron='0 3 * * *'),
    'at once': lambda: Demanding.enqueue(depth=1, immediate=True),
    'many': lambda: Demanding.enqueue_many([{'url': 'a', 'depth': 1}, {'depth': 1}]),
    'many, periodic': lambda: Demanding.enqueue_many([{'url': 'a', 'depth': 1}, {'depth': 1}], interval=5),
    'for an unsaved object': lambda: Demanding.enqueue(instance=Thing(), depth=1),
    'after another job': lambda: Demanding.enqueue(depends_on='x', depth=1),
    'once': lambda: Demanding.enqueue_once(interval=5, depth=1),
    'once for an object': lambda: Demanding.enqueue_once(instance=Thing.objects.create(), depth=1),
    'once without arguments': lambda: Demanding.enqueue_once(interval=5),
    'unique': lambda: DemandingOnce.enqueue(),
    'throttled': lambda: DemandingOnce.enqueue(throttle=Throttle(timedelta(hours=1))),
}


@pytest.mark.once
@pytest.mark.parametrize('call', CALLS)
def test_p8_a_missing_argument_is_an_error_at_the_call_and_nothing_is_written(call):
    with pytest.raises(TypeError, match=r"\.enqueue(_once)?\(\) lacks the arguments? 'url'.*no default"):
        CALLS[call]()
    assert not Job.objects.exists() and not Schedule.objects.exists() and not UniqueJob.objects.exists()


@pytest.mark.once
def test_p8_all_that_is_missing_is_named():
    with pytest.raises(TypeError, match="lacks the arguments 'url', 'depth', for which"):
        Demanding.enqueue()


@pytest.mark.once
def test_p8_a_note_says_which_of_many_calls_lacks_it():
    with pytest.raises(TypeError) as caught:
        Demanding.enqueue_many([{'url': 'a', 'depth': 1}, {'url': 'a'}])
    assert any('call 1' in note for note in caught.value.__notes__)


@pytest.mark.once
def test_what_has_all_it_requires_is_accepted(work):
    jobs = [
        Demanding.enqueue(url='a', depth=1),
        Handled.enqueue(),
        Completed.enqueue(),
        Completed.enqueue_once(),
        Decorated.enqueue(),
    ]
    work()
    assert [Job.objects.get(pk=job.pk).data for job in jobs] == [['a', 1, 'quick'], 'own', 'added', 'added', 'passed']


def test_enqueue_once_without_arguments_keeps_those_that_the_waiting_job_has(work):
    thing = Thing.objects.create()
    first = Demanding.enqueue_once(instance=thing, interval=5, url='a', depth=1)
    assert Demanding.enqueue_once(instance=thing, interval=7).pk == first.pk
    with pytest.raises(TypeError, match="lacks the argument 'depth'"):
        Demanding.enqueue_once(instance=thing, url='b')
    assert first.get_arguments() == {'url': 'a', 'depth': 1}
    Job.objects.update(due=1, status='pending', deliveries=2)
    following = Job.objects.get(pk=first.pk)
    following.terminate()
    assert Job.objects.waiting().get().get_arguments() == {'url': 'a', 'depth': 1}


@pytest.mark.once
def test_a_retry_and_a_successor_have_the_arguments_of_their_job():
    job = Demanding.enqueue(url='a', depth=1)
    job.terminate('errored')
    assert job.retry().get_arguments() == {'url': 'a', 'depth': 1}


@pytest.mark.once
def test_the_command_says_it():
    with pytest.raises((CommandError, SystemExit)) as caught:
        call_command('jobs', 'run', 'tests.enqueue.test_missing_arguments.Demanding', '--arg', 'depth=1')
    assert "lacks the argument 'url'" in str(caught.value) or caught.value.args != (0,)
    assert not Job.objects.exists()
    assert Plain.enqueue().pk

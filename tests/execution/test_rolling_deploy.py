"""P12: an old worker meets a job that new code has enqueued. It gives the job back; a new worker runs it."""

import enum
import sys
import types

import pytest

from netbox_jobs.jobs import JobRunner
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Plain
from tests.app.models import Thing
from tests.processes import status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


@pytest.fixture
def module(monkeypatch):
    """A module that exists in new code alone."""
    made = types.ModuleType('tests.app.newer')
    for name, value in NEW.items():
        value.__module__, value.__qualname__ = made.__name__, name
        setattr(made, name, value)
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class OldColour(enum.Enum):
    RED = 1


class Pair:
    def __init__(self, a=1, b=2):
        self.pair = a, b

    def __getnewargs__(self):
        return self.pair

    def __new__(cls, *args):
        return super().__new__(cls)


class OldPair:
    def __new__(cls, a):
        return super().__new__(cls)


NEW = {'Colour': Colour, 'Pair': Pair}


def without_class(monkeypatch, module):
    monkeypatch.delattr(module, 'Colour')


def without_module(monkeypatch, module):
    monkeypatch.delitem(sys.modules, module.__name__)


def without_member(monkeypatch, module):
    monkeypatch.setattr(module, 'Colour', OldColour)


def another_version(monkeypatch, module):
    monkeypatch.setattr(module, 'Pair', OldPair)


def without_model(monkeypatch, module):
    from netbox_jobs.core import arguments

    def get_model(*args):
        raise LookupError(f'App testapp does not have a {args[1]!r} model.')

    monkeypatch.setattr(arguments.apps, 'get_model', get_model)


class Taking(JobRunner):
    def run(self, new=None, **kwargs):
        self.job.data = new


def run_old(self):
    """What the code of an old worker takes."""


def without_keyword(monkeypatch, module):
    monkeypatch.setattr(Taking, 'run', run_old)


CASES = {
    'class': (without_class, lambda: {'value': Colour.BLUE}, Plain),
    'module': (without_module, lambda: {'value': {'deep': [Colour.RED]}}, Plain),
    'member of an enumeration': (without_member, lambda: {'value': Colour.BLUE}, Plain),
    'version of a class': (another_version, lambda: {'value': Pair()}, Plain),
    'model': (without_model, lambda: {'value': Thing.objects.create()}, Plain),
    'keyword': (without_keyword, lambda: {'new': 1}, Taking),
}


@pytest.mark.parametrize('case', CASES)
def test_a_job_whose_arguments_old_code_does_not_know_is_given_back_and_run_by_new_code(
    case, monkeypatch, module, work
):
    make_old, make_arguments, runner = CASES[case]
    job = runner.enqueue(interval=10, max_retries=3, **make_arguments())
    with monkeypatch.context() as old:
        make_old(old, module)
        work()
        assert (status(job), job.releases, job.attempt, job.retries) == ('scheduled', 1, 0, 0)
    Job.objects.filter(pk=job.pk).update(due=0)
    recovery.deliver_due()
    work()
    assert (status(job), job.attempt) == ('completed', 1)
    assert Job.objects.waiting().count() == 1


@pytest.mark.parametrize('case', CASES)
def test_p4_it_has_a_successor_when_no_worker_has_the_code_within_the_grace(case, monkeypatch, module, work, settings):
    settings.NETBOX_JOBS = {'RUNNER_GRACE': 0}
    make_old, make_arguments, runner = CASES[case]
    job = runner.enqueue(interval=10, **make_arguments())
    with monkeypatch.context() as old:
        make_old(old, module)
        work()
    assert status(job) == 'errored'
    assert 'argument' in job.error
    assert Schedule.objects.get().suspended == ''
    assert status(Job.objects.get(predecessor=job)) == 'scheduled'


def function(job):
    """One that takes no arguments; new code's takes some."""


def newer(job, thing, new=1):
    job.data = new


def test_a_function_is_asked_like_a_runner(monkeypatch, work):
    monkeypatch.setattr(newer, '__qualname__', 'function')
    job = Job.enqueue(newer, thing=1, new=2)
    work()
    assert (status(job), job.releases) == ('scheduled', 1)


def test_an_object_that_is_gone_is_still_an_error_at_once(work):
    thing = Thing.objects.create()
    job = Plain.enqueue(thing=thing)
    thing.delete()
    work()
    assert status(job) == 'errored'


def test_an_old_web_process_changes_a_waiting_job_whose_arguments_it_cannot_read(monkeypatch, module):
    job = Plain.enqueue_once(interval=10, value=Colour.BLUE)
    with monkeypatch.context() as old:
        without_class(old, module)
        assert Plain.enqueue_once(interval=20).pk == job.pk
    job.refresh_from_db()
    assert (job.interval, job.get_arguments()) == (20, {'value': Colour.BLUE})

"""The exceptions of the package have one base beside their built-in ones."""

import pickle

import pytest

from netbox_jobs import exceptions
from netbox_jobs.exceptions import JobCanceled, NetBoxJobsError
from netbox_jobs.jobs import JobFailed, JobRunner
from tests.app.jobs import Plain

#: The built-in bases, which code that does not know the package may catch.
BUILT_IN = {
    'AlreadyClaimed': {RuntimeError},
    'ArgumentsRefused': set(),
    'ArgumentsTooLarge': {TypeError, ValueError},
    'ArgumentsUnknown': set(),
    'ContextNotRestored': set(),
    'ContextUnknown': set(),
    'EncryptionKeyMissing': set(),
    'FormatUnknown': set(),
    'InstanceGone': set(),
    'JobEnded': {ValueError},
    'JobExists': {ValueError},
    'JobFailed': set(),
    'NetBoxJobsError': set(),
    'RateExceeded': {TimeoutError, OSError},
    'RunnerNotFound': set(),
    'SignalTimeout': {TimeoutError, OSError},
    'StepsChanged': set(),
    'UnknownQueue': {ValueError, LookupError},
    'UnsupportedOption': {ValueError, TypeError},
}


def test_all_exceptions_are_public():
    defined = {name for name, value in vars(exceptions).items() if isinstance(value, type) and not name.startswith('_')}
    assert defined == set(exceptions.__all__) == {*BUILT_IN, 'JobCanceled'}


@pytest.mark.parametrize('name', BUILT_IN)
def test_each_has_the_common_base_beside_its_built_in_ones(name):
    kind = getattr(exceptions, name)
    built_in = {base for base in kind.__mro__ if base.__module__ == 'builtins'}
    assert built_in >= {Exception, *BUILT_IN[name]}
    assert built_in <= {Exception, BaseException, object, LookupError, *BUILT_IN[name]}
    for caught in (NetBoxJobsError, *BUILT_IN[name]):
        with pytest.raises(caught, match='why'):
            raise kind('why')
    copy = pickle.loads(pickle.dumps(kind('why')))
    assert (type(copy), copy.args) == (kind, ('why',))
    assert kind.__doc__


def test_a_run_that_catches_exceptions_is_stopped_all_the_same():
    assert not issubclass(JobCanceled, Exception)
    assert not issubclass(JobCanceled, NetBoxJobsError)
    with pytest.raises(JobCanceled):
        try:
            raise JobCanceled
        except (Exception, NetBoxJobsError):
            pass


class SourceDown(JobFailed):
    """What a plugin has of its own."""


class _CatchesOurs(JobRunner):
    def run(self):
        try:
            raise SourceDown('expected')
        except NetBoxJobsError as error:
            self.job.error = str(error)


@pytest.mark.django_db
def test_a_plugin_may_derive_from_them_and_catch_them():
    job = _CatchesOurs.enqueue(immediate=True)
    assert (job.status, job.error) == ('completed', 'expected')


@pytest.mark.django_db
@pytest.mark.parametrize('given', [{'queue_name': 'nowhere'}, {'unique': True}, {'word': 'x' * 10_000_000}])
def test_what_a_call_raises_is_caught_by_the_common_base(given):
    with pytest.raises(NetBoxJobsError):
        Plain.enqueue(**given)

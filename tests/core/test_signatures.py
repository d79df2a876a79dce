"""What `help()` and `inspect.signature()` show of a runner's calls."""

import inspect
import sys
from typing import Any

import pytest

from netbox_jobs.core.options import OPTIONS, UNCHANGED, defaults_of, named_parameters
from netbox_jobs.models import Job
from tests.app.jobs import Plain


@pytest.mark.parametrize('call', ['enqueue', 'enqueue_once', 'aenqueue', 'aenqueue_once', 'setup'])
def test_the_options_are_shown(call):
    signature = inspect.signature(getattr(Plain, call))
    expected = OPTIONS - ({'immediate'} if call not in ('enqueue', 'aenqueue') else set())
    assert set(signature.parameters) == {*expected, 'arguments'}
    assert signature.return_annotation is (None if call == 'setup' else Job)
    documentation = inspect.getdoc(getattr(Plain, call))
    assert all(f'{name}' in documentation.partition('Options:')[2] for name in expected)


def test_the_positional_parameters_and_the_defaults():
    once = inspect.signature(Plain.enqueue_once).parameters
    positional = [name for name, value in once.items() if value.kind is value.POSITIONAL_OR_KEYWORD]
    assert positional == ['instance', 'schedule_at', 'interval']
    assert once['interval'].default is UNCHANGED
    assert inspect.signature(Plain.enqueue).parameters['interval'].default is None


def test_coroutine_functions_are_told_from_others():
    assert inspect.iscoroutinefunction(Plain.aenqueue)
    assert not inspect.iscoroutinefunction(Plain.enqueue)


def test_a_name_that_is_imported_for_type_checkers_alone_stands_in_an_annotation():
    found: dict[str, Any] = {}
    # Until Python 3.14, an annotation is evaluated when the function is defined, unless it is a text.
    annotation = 'OnlyForTypeCheckers' if sys.version_info >= (3, 14) else "'OnlyForTypeCheckers'"
    exec(f'def run(self, source: {annotation}, full: bool = False): pass', found)
    assert named_parameters(found['run']) == ('self', 'source', 'full')
    assert defaults_of(found['run']) == {'full': False}

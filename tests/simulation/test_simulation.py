"""Random stories of workers, users and faults, on the real lifecycle code: no promise is broken, and all jobs end."""

import logging
import os
import sys

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.mutations import MUTATIONS, mutated
from tests.model.observer import observing

from .machine import Story, Told
from .sessions import kept_sessions

pytestmark = [pytest.mark.django_db(transaction=True)]

#: A run of the tests tells the same stories each time, and others on another Python; `make simulate` sets new seeds.
SEED = int(os.environ.get('SIMULATION_SEED', 100 * sys.version_info.minor))
STORIES = int(os.environ.get('SIMULATION_STORIES', '0'))
STEPS = 100
#: Shrinking may take minutes: the tests report the story as it was found.
SHRINKS = 'SIMULATION_SHRINK' in os.environ
PHASES = tuple(Phase) if SHRINKS else (Phase.generate,)


@pytest.fixture(autouse=True)
def observed():
    """Triggers note each change; what the package logs of so many faults is not kept."""
    logging.disable(logging.CRITICAL)
    with observing(), kept_sessions():
        yield
    logging.disable(logging.NOTSET)


def tell(number, stories, steps=STEPS):
    """Run the state machine; return how much it has told."""
    Story.told = Told()
    limits = settings(
        max_examples=stories, stateful_step_count=steps, deadline=None, database=None, print_blob=True, phases=PHASES,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    try:
        run_state_machine_as_test(seed(number)(Story), settings=limits)
    except BaseException as error:
        database = 'TEST_DATABASE_URL=postgres://...' if connection.vendor == 'postgresql' else ''
        error.add_note(f'Have it shortened: {database} python -m tests.simulation --seed {number} --stories {stories}')
        raise
    print(f'seed {number}, {connection.vendor}: {Story.told}')
    return Story.told


@pytest.mark.chaos
@pytest.mark.timeout(0 if SHRINKS else 600)
@pytest.mark.parametrize('share', range(1 if STORIES else 4))
def test_no_story_breaks_a_promise(share):
    number = STORIES or (30 if connection.vendor == 'sqlite' else 8)
    told = tell(SEED + share, number)
    assert told.stories >= number
    assert told.steps > number * STEPS / 2  # Hypothesis begins with short ones


@pytest.mark.once
def test_a_seed_tells_the_same_stories_each_time():
    # Not by every statement: what a worker does once a second depends on how fast this machine is.
    assert _acts(tell(7, 3)) == _acts(tell(7, 3))


def _acts(told):
    return told.stories, told.steps, told.healing, told.faults


@pytest.mark.once
@pytest.mark.parametrize('what', ['The claim keeps the slot of the waiting job', 'The end keeps the claim'])
def test_a_story_finds_a_condition_that_is_missing(what):
    mutation = next(known for known in MUTATIONS if known.what == what)
    with mutated(mutation), pytest.raises(AssertionError, match='no write of the model makes'):
        tell(3, 20)

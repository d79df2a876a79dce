"""Random stories of workers, users and faults, on the real lifecycle code: no promise is broken, and all jobs end."""

import logging
import os

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.observer import observing

from .machine import Story

pytestmark = [pytest.mark.django_db(transaction=True)]

#: `make simulate` sets others.
SEED = int(os.environ.get('SIMULATION_SEED', '1'))
STORIES = int(os.environ.get('SIMULATION_STORIES', '0'))
STEPS = 40
#: Shrinking may take minutes: the tests report the story as it was found.
SHRINKS = 'SIMULATION_SHRINK' in os.environ
PHASES = tuple(Phase) if SHRINKS else (Phase.generate,)


@pytest.fixture(autouse=True)
def quiet():
    """What the package logs of so many faults is not kept."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def observed():
    with observing():
        yield


def tell(stories, steps=STEPS, phases=PHASES):
    """Run the state machine."""
    limits = settings(
        max_examples=stories, stateful_step_count=steps, deadline=None, database=None, print_blob=True, phases=phases,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(seed(SEED)(Story), settings=limits)


@pytest.mark.timeout(0 if SHRINKS else 600)
def test_no_story_breaks_a_promise(observed):
    begun = Story.stories, Story.steps, Story.statements
    number = STORIES or (100 if connection.vendor == 'sqlite' else 50)
    tell(number)
    stories, steps = Story.stories - begun[0], Story.steps - begun[1]
    statements = Story.statements - begun[2]
    print(f'seed {SEED}, {connection.vendor}: {stories} stories, {steps} steps, {statements} statements and commands')
    assert steps > 20 * number

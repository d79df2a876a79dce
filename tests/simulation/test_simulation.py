"""Random stories of workers, users and faults, on the real lifecycle code: no promise is broken, and all jobs end."""

import logging
import os
import sys
from itertools import count
from pathlib import Path

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.__main__ import too_few_steps
from tests.model.mutations import MUTATIONS, mutated
from tests.model.observer import observing

from .machine import Story, Told
from .sessions import kept_sessions

pytestmark = [pytest.mark.django_db(transaction=True)]

#: A run of the tests tells the same stories each time, and others on another Python; `make simulate` sets new seeds.
SEED = int(os.environ.get('SIMULATION_SEED', 100 * sys.version_info.minor))
STORIES = int(os.environ.get('SIMULATION_STORIES', '0'))
#: How many steps are to be told at least on this database, and the file that counts them; `python -m tests` sets both.
ASKED = int(os.environ.get('SIMULATION_STEPS', '0'))
COUNT = os.environ.get('SIMULATION_COUNT')
SHARES = 1 if STORIES else 4
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


def tell_at_least(asked, first, stories):
    """Tell stories of one seed after the other until so many steps were taken; yield what each seed has told."""
    steps = 0
    for number in count(first, 10_000):
        told = tell(number, stories)
        assert told.stories >= stories
        assert told.steps > stories * STEPS / 2  # Hypothesis begins with short ones
        yield told
        steps += told.steps
        if steps >= asked:
            return


@pytest.mark.chaos
@pytest.mark.timeout(0 if SHRINKS else 2400 if ASKED else 600)
@pytest.mark.parametrize('share', range(SHARES))
def test_no_story_breaks_a_promise(share):
    number = STORIES or (10 if connection.vendor == 'sqlite' else 4)
    steps = sum(told.steps for told in tell_at_least(ASKED / SHARES, SEED + share, number))
    if COUNT:
        with Path(COUNT).open('a') as file:
            file.write(f'{steps}\n')


@pytest.mark.once
def test_as_many_steps_are_taken_as_are_asked_for():
    assert [told.steps > 0 for told in tell_at_least(0, 7, 2)] == [True]
    told = [told.steps for told in tell_at_least(300, 7, 2)]
    assert sum(told[:-1]) < 300 <= sum(told)


@pytest.mark.once
def test_a_run_of_the_tests_that_has_taken_fewer_steps_than_it_was_asked_for_fails(capsys):
    assert not too_few_steps({'SQLite': 40, 'PostgreSQL': 10, 'MariaDB': 0}, 50)
    assert capsys.readouterr().out == 'Simulation: 50 steps (40 on SQLite, 10 on PostgreSQL), 50 asked for\n'
    assert too_few_steps({'SQLite': 49}, 50) and too_few_steps({}, 1)
    assert not too_few_steps({}, 0)


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

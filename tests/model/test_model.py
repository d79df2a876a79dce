"""P1 to P4, P7 and P10 in every interleaving of a small world; and that each condition of the model is needed."""

import gc

import pytest

from .checker import check
from .world import Model

pytestmark = [pytest.mark.once, pytest.mark.chaos]

#: The worlds that each run of the tests visits; `python -m tests.model` visits larger ones.
WORLDS = {
    'one job, two faults, two users': Model(single=1, faults=2, users=2),
    'two jobs': Model(single=2, faults=1, users=0, crashes=0),
    'a job that depends on another': Model(single=2, depends=True),
    'a series': Model(series=3, single=0, retries=0),
    'two jobs with a limit of one': Model(single=2, limit=1, users=1, retries=0),
}
#: The steps that each world takes, and those that one takes beside them.
STEPS = {
    'Redis loses all ids', 'Redis repeats an id', 'a batch is put back', 'a live worker is declared dead',
    'a worker is killed', 'claim', 'deliver again', 'end an orphan', 'end as completed', 'end as errored', 'release',
    'take a batch', 'take an id', 'write under a lost claim',
}  # fmt: skip
_BY_USERS = {'cancel', 'delete', 'end as canceled', 'stop'}
_ENQUEUED = {'deliver what is due', 'enqueue', 'enqueue, and Redis is away'}
MORE_STEPS = {
    'one job, two faults, two users': {*_BY_USERS, *_ENQUEUED, 'retry'},
    'two jobs': {*_ENQUEUED, 'retry'},
    'a job that depends on another': {
        *_BY_USERS, *_ENQUEUED, 'retry', 'end a dependent', 'enqueue, dependent', 'have it depend', 'open a dependent',
    },
    'a series': {
        *_BY_USERS, *_ENQUEUED, 'arrange the next occurrence', 'change the schedule', 'end the schedule',
    },
    'two jobs with a limit of one': {
        *_BY_USERS, 'enqueue, limited', 'give a slot, and deliver', 'give a slot, deliver, and die', 'put back',
        'wait in line',
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_collection():
    """States are tuples of tuples: the garbage collector finds nothing, and looks for it a third of the time."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.timeout(500)
@pytest.mark.parametrize('world', WORLDS)
def test_p1_to_p4_p7_and_p10_hold_in_every_state_and_each_comes_to_an_end(world):
    result = check(WORLDS[world])
    print(world, result)
    assert not result.violation, str(result)
    assert result.states > 1000
    assert result.names == STEPS | MORE_STEPS[world]


_LIMITED = {'single': 2, 'limit': 1}
_SERIES = {'series': 3, 'single': 0, 'retries': 1}


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ('conditions', 'bounds', 'says'),
    [
        ('claim: it waits', {}, 'claim does not make'),
        ('claim: no gate', {'single': 2, 'depends': True, 'users': 2}, 'claim does not make'),
        # Each of the three conditions of a claim is there because the other two may be right by chance.
        ('the claim: attempt, the claim: worker', {}, 'P3'),
        ('the claim: attempt, the claim: status, the claim: worker', {}, 'end a run does not make'),
        ('requeue: no stop', {}, 'retry does not make'),
        ('cancel: it waits', {}, 'end a waiting job does not make'),
        ('stop: once', {'users': 2}, 'stop does not make'),
        ('end: with its successor', _SERIES, 'P4'),
        ('arrange: the schedule', {**_SERIES, 'users': 2}, 'P7'),
        ('give: a slot is free', _LIMITED, 'P10'),
        ('requeue: it waits for a slot anew', {**_LIMITED, 'retries': 1}, 'no write makes'),
        ('deliver: none is to run again', {**_SERIES, 'series': 4, 'users': 2, 'faults': 0}, 'P2'),
    ],
)
def test_a_model_without_a_condition_of_the_code_breaks_a_promise(conditions, bounds, says):
    result = check(Model(**bounds, without=frozenset(conditions.split(', '))))
    print(conditions, result)
    assert says in result.violation, str(result)

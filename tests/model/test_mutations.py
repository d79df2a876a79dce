"""Each mutation of the conditional UPDATEs is caught by the replay; without it, the same story is allowed."""

import pytest

from .mutations import MUTATIONS, mutated
from .observer import events, forget, observing
from .replay import Replay

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240), pytest.mark.once]


@pytest.fixture
def played():
    """Observe; the function replays what has happened since its last call, as by an actor."""
    with observing():
        replay = Replay()

        def play(actor=None):
            found = events()
            for _number, event in found:
                replay.feed(event, actor)
            forget([number for number, _event in found])
            return replay.violations

        yield play


@pytest.mark.parametrize('mutation', MUTATIONS, ids=lambda mutation: mutation.what)
def test_the_story_of_a_mutation_is_allowed_without_it(played, mutation):
    mutation.story(played)
    assert played() == []


@pytest.mark.parametrize('mutation', MUTATIONS, ids=lambda mutation: mutation.what)
def test_a_mutation_is_caught(played, mutation):
    with mutated(mutation):
        mutation.story(played)
    print(played())
    assert len(played()) == 1

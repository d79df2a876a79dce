"""Each mutation of the package's conditional UPDATEs is caught by the simulation and the model."""

import pytest
from hypothesis import Phase

from .machine import Story
from .mutations import MUTATIONS, mutated
from .test_simulation import observed, quiet, tell

__all__ = ('observed', 'quiet')

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


@pytest.mark.timeout(120)
@pytest.mark.parametrize('mutation', MUTATIONS, ids=lambda mutation: mutation.what)
def test_a_mutation_of_the_code_is_caught(observed, mutation):
    begun = Story.stories
    with mutated(mutation), pytest.raises(Exception) as caught:
        tell(400, phases=(Phase.generate,))
    print(f'{mutation.what}: story {Story.stories - begun}: {str(caught.value)[:300]}')
    assert Story.stories > begun

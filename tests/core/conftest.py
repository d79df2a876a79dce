"""The settings of the tests of contexts."""

import pytest

from tests.core.context_settings import configure


@pytest.fixture
def two_contexts(settings):
    """Two contexts, `Word` and `House`, are carried with jobs."""
    configure(settings, 'Word', 'House')

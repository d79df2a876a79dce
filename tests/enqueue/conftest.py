"""What happens in the middle of a call of `enqueue_once()`."""

import pytest

from netbox_jobs.enqueue import unique


@pytest.fixture
def meanwhile(monkeypatch):
    """Have something happen to the job when `enqueue_once()` has found it, before what it does then."""

    def _meanwhile(step, happens):
        real, done = getattr(unique, step), []

        def stepped(*args):
            if not done:
                done.append(True)
                happens()
            return real(*args)

        monkeypatch.setattr(unique, step, stepped)

    return _meanwhile

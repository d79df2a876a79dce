"""A pytest plugin, which pytest finds by itself: a real worker as a fixture. The other helpers are plain functions.

It imports nothing of Django's until a test asks for a fixture: pytest loads it before there are settings.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .testing import RealWorker


@pytest.fixture(scope='session')
def job_redis_url() -> Iterator[str]:
    """The address of an embedded Valkey server, one in each process of pytest-xdist; override it to use another."""
    # Here, as Django's settings may not be there before.
    from .testing.real_worker import embedded_redis

    with embedded_redis() as url:
        yield url


@pytest.fixture
def job_worker(transactional_db: None, job_redis_url: str) -> 'Iterator[RealWorker]':
    """A worker of all queues in a process of its own; `job_worker.wait_for(job)` waits for the end of a job."""
    # Here, as Django's settings may not be there before.
    from .testing import real_worker

    with real_worker(redis_url=job_redis_url) as worker:
        yield worker

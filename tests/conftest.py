"""Fixtures of all tests."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rq import SimpleWorker

from netbox_jobs import delivery, queues

from .processes import WorkerProcess

collect_ignore = (
    []
    if shutil.which('pgbouncer') and os.environ.get('TEST_DATABASE_URL', '').startswith('postgres')
    else ['acceptance/test_pgbouncer.py']
)


@pytest.fixture(autouse=True)
def clean_redis() -> None:
    """Each test begins with an empty Redis, and with no memory of an outage."""
    delivery._paused_until.clear()
    delivery.queue('default').connection.flushdb()


@pytest.fixture
def work() -> Callable[..., bool]:
    """Run what has been delivered, in this process, with RQ's plain SimpleWorker."""

    def _work(*names: str) -> bool:
        served = [delivery.queue(name) for name in names or (*queues.DEFAULT_QUEUES, *queues.plugin_queues())]
        return SimpleWorker(served, connection=served[0].connection).work(burst=True)

    return _work


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """Start real workers, which are ended after the test."""
    workers: list[WorkerProcess] = []

    def _start(*arguments: str, **kwargs: str) -> WorkerProcess:
        worker = WorkerProcess(tmp_path / f'worker-{len(workers)}.log', *arguments, **kwargs)
        workers.append(worker)
        return worker

    yield _start
    for worker in workers:
        worker.stop()

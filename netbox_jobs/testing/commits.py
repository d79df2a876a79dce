"""The callbacks of `transaction.on_commit()` within a `TestCase`, whose transaction never commits."""

import logging
from collections.abc import Callable
from typing import Any

from django.db import connections

logger = logging.getLogger('netbox_jobs')


def mark() -> Callable[[], None]:
    """Return a function that calls what has been registered since, as a commit would.

    Callbacks that were registered before are left alone: `TestCase.captureOnCommitCallbacks()` is for those. Outside of
    a transaction there are none, as each is called when its transaction commits.
    """
    counts = {
        connection.alias: len(connection.run_on_commit) if connection.in_atomic_block else 0
        for connection in connections.all(initialized_only=True)
    }

    def call() -> None:
        for connection in connections.all(initialized_only=True):
            before = counts.get(connection.alias, 0)
            while connection.in_atomic_block and len(connection.run_on_commit) > before:
                # Taken out, so that a `captureOnCommitCallbacks()` around all of it does not call it again.
                entry: Any = connection.run_on_commit.pop(before)
                _call(function=entry[1], robust=entry[2])

    return call


def _call(function: Callable[[], object], robust: bool) -> None:
    if not robust:
        function()
        return
    try:
        function()
    except Exception:  # as Django does after a commit
        logger.exception('A callback of on_commit() raised.')

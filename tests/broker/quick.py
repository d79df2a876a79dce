"""What a call costs that Redis might hold up: its time, and its attempts to connect."""

import time
from collections.abc import Callable

import pytest
from redis.connection import AbstractConnection

from netbox_jobs.broker import connection


def is_quick(call: Callable[[], object], seconds: float = 1, tries: int = 5) -> bool:
    """Whether the call takes less than this once in so many tries: a busy machine may delay the others.

    Each try begins with no memory of an outage.
    """
    for _ in range(tries):
        connection.close_circuits()
        begin = time.monotonic()
        call()
        if time.monotonic() - begin < seconds:
            return True
    return False


def connects(call: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> int:
    """How often the call tries to connect to a Redis, where an outage is remembered for longer than it takes."""
    tried = []
    real = AbstractConnection.connect

    def connect(self: AbstractConnection) -> None:
        tried.append(self)
        real(self)

    connection.close_circuits()
    with monkeypatch.context() as patch:
        patch.setattr(connection, 'PAUSE', 600.0)
        patch.setattr(AbstractConnection, 'connect', connect)
        call()
    return len(tried)

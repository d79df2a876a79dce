"""The virtual clock: what the package takes for now, in wall time and in monotonic time, and its sleep."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from django.utils import timezone

from netbox_jobs.broker import connection, outages
from netbox_jobs.core import clock, guards, transactions
from netbox_jobs.lifecycle import claim, finish, locks
from netbox_jobs.maintenance import observer

_MODULES: tuple[Any, ...] = (connection, outages, guards, transactions, claim, finish, locks, observer)


class VirtualClock:
    """Stands for the module `time` in those of the package that use it."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def monotonic(self) -> float:
        """Seconds that have passed."""
        return self.seconds

    def time(self) -> float:
        """Seconds since the epoch."""
        return 1_800_000_000 + self.seconds

    def sleep(self, seconds: float) -> None:
        """Pass the time."""
        self.seconds += seconds

    def now(self) -> datetime:
        """This moment."""
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=self.time())


@contextmanager
def virtual() -> Iterator[VirtualClock]:
    """Have the package go by a virtual clock."""
    made = VirtualClock()
    with ExitStack() as stack:
        for module in _MODULES:
            if getattr(module, 'time', None) is time:
                stack.enter_context(patch.object(module, 'time', made))
        stack.enter_context(patch.object(timezone, 'now', made.now))
        stack.enter_context(patch.object(clock, 'now_ms', lambda: int(made.time() * 1000)))
        yield made

"""Faults of a simulated process: it dies before or after any statement, or another process acts between two of them.

A process that has died writes nothing any more, whatever its code does on the way out: its session is closed, and each
further statement and each command to Redis fails.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import fakeredis
from django.db import connections
from redis.exceptions import ConnectionError

from .sessions import Died, cut, may_be_interrupted


class Fault(NamedTuple):
    """What happens to a step, and at which of its statements and commands."""

    kind: str  # 'dies before', 'dies after' or 'is interrupted'
    at: int


class Process:
    """The process that takes a step: counts its statements, and lets its fault strike."""

    #: The processes that are at work: a step, and the one that has come between two of its statements.
    at_work: list['Process'] = []

    def __init__(self, fault: Fault | None = None, between: Callable[[], None] | None = None) -> None:
        self._fault, self._between = fault, between
        self.count = 0
        self.dead = False
        #: Whether its fault has struck.
        self.struck = False

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        """As an execute_wrapper of Django's."""
        connection = context['connection']
        if self.dead:
            raise Died
        number = self.count
        self.count += 1
        if self._fault is not None and self._fault.at == number:
            if self._fault.kind == 'dies before':
                self._die(connection)
            if self._fault.kind == 'is interrupted' and self._between is not None and may_be_interrupted(connection):
                between, self._between = self._between, None
                self.struck = True
                between()
        result = execute(sql, params, many, context)
        if self._fault is not None and self._fault.at == number and self._fault.kind == 'dies after':
            self._die(connection)
        return result

    def command(self) -> None:
        """Count a command to Redis, before it is sent."""
        if self.dead:
            raise Died
        number = self.count
        self.count += 1
        if self._fault == Fault('dies before', number):
            self._die(connections['default'])

    def _die(self, connection: Any) -> None:
        self.dead = self.struck = True
        cut(connection)
        raise Died


class SimulatedRedis(fakeredis.FakeStrictRedis):
    """Redis in memory, which may be away."""

    away = False

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command."""
        _ask(type(self))
        return super().execute_command(*args, **options)

    def pipeline(self, *args: Any, **kwargs: Any) -> Any:
        """Begin a pipeline."""
        _ask(type(self))
        return super().pipeline(*args, **kwargs)


def _ask(redis: type[SimulatedRedis]) -> None:
    if Process.at_work:
        Process.at_work[-1].command()
    if redis.away:
        raise ConnectionError('simulated')

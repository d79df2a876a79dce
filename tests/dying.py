"""What a process leaves that dies at a statement, without a process: all that it had not committed is rolled back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from unittest import mock

from django.db import connection
from redis.connection import AbstractConnection

#: Statements that leave nothing, where they are a transaction of their own.
_READS = ('SELECT', 'BEGIN')


class Died(BaseException):
    """The process has died: nothing of ours may handle this."""


def at_each_statement(act: Callable[[], Any], *, leaves_files: bool = False) -> Iterator[int]:
    """Have `act` die at its first statement or command to Redis, at its second one..., and at last run to its end.

    It does not die where nothing was committed, and nothing sent to Redis, since the one before, as it would leave the
    same: all statements of a transaction are one death. Except if it leaves something elsewhere (`leaves_files`).

    Yields after each death, and after the end, with the number of statements that were executed.
    """
    for number in count():
        watch = _Watch(number, leaves_files)
        try:
            with watch.watching():
                act()
        except Died:
            connection.close()
            yield watch.done
        else:
            yield watch.done
            return


class _Watch:
    """Counts what is executed, and the moments at which a death leaves what none before left."""

    def __init__(self, last: int, every: bool) -> None:
        self.done, self._moments, self._last, self._every, self._left_more = 0, 0, last, every, True

    @contextmanager
    def watching(self) -> Iterator[None]:
        commit, send = connection.commit, AbstractConnection.send_packed_command

        def committed() -> None:
            commit()
            self._left_more = True

        def sent(client: AbstractConnection, *args: Any, **kwargs: Any) -> None:
            self._live_on()
            self._left_more = True
            send(client, *args, **kwargs)

        with (
            connection.execute_wrapper(self._execute),
            mock.patch.object(connection, 'commit', committed),
            mock.patch.object(AbstractConnection, 'send_packed_command', sent),
        ):
            yield

    def _execute(self, run: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self._live_on()
        self.done += 1
        try:
            return run(sql, params, many, context)
        finally:
            if not (connection.in_atomic_block or sql.startswith(_READS)):
                self._left_more = True

    def _live_on(self) -> None:
        if self._left_more or self._every:
            if self._moments == self._last:
                raise Died
            self._moments += 1
            self._left_more = False

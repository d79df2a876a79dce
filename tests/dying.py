"""What a process leaves that dies at a statement, without a process: all that it had not committed is rolled back."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from django.db import connection


class Died(BaseException):
    """The process has died: nothing of ours may handle this."""


def at_each_statement(act: Callable[[], Any]) -> Iterator[int]:
    """Have `act` die before its first statement, before its second one..., and at last run to its end.

    Yields after each of them, with the number of statements that it executed.
    """
    for number in count():
        watch = _Watch(number)
        try:
            with connection.execute_wrapper(watch):
                act()
        except Died:
            connection.close()
            yield number
        else:
            yield watch.done
            return


class _Watch:
    def __init__(self, last: int) -> None:
        self.done, self._last = 0, last

    def __call__(self, run: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if self.done == self._last:
            raise Died
        self.done += 1
        return run(sql, params, many, context)

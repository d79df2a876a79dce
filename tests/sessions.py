"""Transactions of other database sessions."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections, transaction


@contextmanager
def elsewhere(act: Callable[[], Any]) -> Iterator[None]:
    """Call `act()` in a transaction of another session, which commits at the end of the block."""
    begun, over = threading.Event(), threading.Event()
    errors: list[Exception] = []

    def hold() -> None:
        try:
            with transaction.atomic():
                act()
                begun.set()
                over.wait(60)
        except Exception as error:
            errors.append(error)
        finally:
            begun.set()
            connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert begun.wait(60)
    try:
        yield
    finally:
        over.set()
        thread.join(60)
    assert errors == []

"""What a child had to import for its job, its parent imports after it: the next child has it from its birth.

A child tells by a page of memory that it shares with its parent, which costs neither of them a system call.
"""

import importlib
import logging
import mmap
from collections.abc import Iterable

from ..core import conf

logger = logging.getLogger('netbox_jobs')

_SIZE = 4096


class Preload:
    """The names of modules on their way from the children of a worker to the worker."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, _SIZE)
        self._tried: set[str] = set()

    def tell(self, modules: Iterable[str]) -> None:
        """In a child, before its end: these had to be imported."""
        told = b'\n'.join(name.encode() for name in modules)
        if told and len(told) < _SIZE:
            self._page[: len(told) + 1] = told + b'\0'

    def follow(self) -> bool:
        """In the parent, when a child has ended in order: import what it has told; returns whether there was any.

        Only what a child has imported without harm comes here, and each module once, whatever comes of it.
        """
        if not self._page[0]:
            return False
        told = self._page[: self._page.find(b'\0')].decode()
        self._page[0] = 0
        names = [name for name in told.split('\n') if name not in self._tried]
        if not names or not conf.get('PRELOAD_RUNNERS'):
            return False
        self._tried.update(names)
        for name in names:
            try:
                importlib.import_module(name)
            except Exception as error:
                logger.info('%s is left to each child to import (%s: %s).', name, type(error).__name__, error)
        return True

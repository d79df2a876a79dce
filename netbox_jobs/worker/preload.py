"""What the parent of a worker does once so that its children need not: imports, and SQL.

A child tells by a page of memory that it shares with its parent what it had to import for its job. The parent imports
that after it, so that the next child has it from the fork on.
"""

import gc
import importlib
import logging
import mmap
from collections.abc import Iterable

from ..core import conf
from ..execution.runner_logger import prepare_logger
from ..lifecycle.warm_up import warm_up as prepare_sql
from ..models import database

logger = logging.getLogger('netbox_jobs')

_SIZE = 4096


def warm_up() -> None:
    """In the parent: do what each child would else do for itself, and copy memory for."""
    prepare_sql(database())
    importlib.import_module('netbox_jobs.jobs')  # what the module of every runner imports
    share_memory()


def share_memory() -> None:
    """In the parent: keep the garbage collector of its children from what is there now, as it would copy that.

    Without a collection first, which takes a tenth of a second, and finds next to nothing after imports.
    """
    gc.freeze()


class Preload:
    """The names of modules on their way from the children of a worker to the worker."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, _SIZE)
        self._tried: set[str] = set()

    def tell(self, modules: Iterable[str]) -> None:
        """In a child, before its end: it had to import these."""
        told = b'\n'.join(name.encode() for name in modules)
        if told and len(told) < _SIZE:
            self._page[: len(told) + 1] = told + b'\0'

    def follow(self) -> bool:
        """In the parent, when a child has ended: import what it has told; returns whether there was anything.

        Only what a child has imported without an error comes here, and each module once.
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
                module = importlib.import_module(name)
            except Exception as error:
                logger.info('%s is left to each child to import (%s: %s).', name, type(error).__name__, error)
                continue
            for runner in vars(module).values():
                if isinstance(runner, type) and getattr(runner, 'is_job_runner', False):
                    prepare_logger(runner)
        return True

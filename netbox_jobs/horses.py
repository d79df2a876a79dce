"""What goes on in the process that runs jobs beside the jobs: it outlives neither its parent nor its claim."""

import gc
import importlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import Error as DBError
from django.db import connections

from . import context
from .models import Job, transitions

try:
    from redis.driver_info import DriverInfo
except ImportError:  # an older redis-py
    DriverInfo = None

logger = logging.getLogger('netbox_jobs')

# redis-py looks its own version up for each connection, which takes milliseconds, and tells the server in two round
# trips: once for each connection of a worker, but not for each child.
_NAMED, _NAMELESS = (DriverInfo(), DriverInfo('', '')) if DriverInfo is not None else (None, None)

#: Seconds for which a connection that was opened beforehand is not too old, whatever `CONN_MAX_AGE` says.
_FRESH = 2.0
#: Seconds between two looks of a horse at its own claim.
LOOK = 3.0


def warm_up(redis: Any) -> None:
    """In the parent: what each horse would else do for itself, and what would have it copy memory that it shares."""
    transitions.warm_up(transitions.database())
    if _NAMED is not None:
        redis.connection_pool.connection_kwargs.setdefault('driver_info', _NAMED)
    importlib.import_module('netbox_jobs.jobs')  # what the module of every runner imports
    share_memory()


def share_memory() -> None:
    """In the parent: nothing that is there now is looked at by the collector in its children, who would copy it.

    Without collecting first, which takes a tenth of a second, and finds next to nothing after imports.
    """
    gc.freeze()


def be_brief(redis: Any) -> None:
    """In a child: connect to Redis in as few words as possible."""
    options = redis.connection_pool.connection_kwargs
    if _NAMED is not None and options.get('driver_info') is _NAMED:
        options['driver_info'] = _NAMELESS


class Opening:
    """A connection to the database that one thread opens for another, which has something else to do meanwhile."""

    def __init__(self, using: str) -> None:
        self._wrapper: Any = connections[using]
        self._opened: Any = None
        self._done = threading.Event()

    @staticmethod
    def pays(using: str) -> bool:
        """Whether there is a server to wait for. (A pool keeps its connections itself.)"""
        connection = connections[using]
        return connection.vendor != 'sqlite' and 'pool' not in connection.settings_dict['OPTIONS']

    def open(self) -> None:
        """In the other thread: only what the driver does, of which the most is to wait for the server."""
        try:
            if self._wrapper.connection is None:
                self._opened = self._wrapper.get_new_connection(self._wrapper.get_connection_params())
        except Exception as error:  # whoever needs the connection meets it again
            logger.debug('A connection to the database could not be opened beforehand (%s).', error)
        finally:
            self._done.set()

    def take(self) -> None:
        """In the thread that it is for: the rest of what Django does, as with any new connection."""
        self._done.wait()
        opened, self._opened = self._opened, None
        if opened is None:
            return
        self._wrapper.get_new_connection = lambda parameters: opened
        try:
            self._wrapper.ensure_connection()
            if self._wrapper.close_at is not None:  # with a CONN_MAX_AGE of 0 it would be too old already
                self._wrapper.close_at = max(self._wrapper.close_at, time.monotonic() + _FRESH)
        except DBError:
            self._wrapper.close()
        finally:
            del self._wrapper.get_new_connection


class Watch(threading.Thread):
    """Ends this process, with all that it has spawned, when its parent has died or the claim of the run is lost."""

    def __init__(self, first: Callable[[], None] | None = None) -> None:
        """Args:
        first: What this thread does before it begins to watch.
        """
        super().__init__(name='netbox_jobs watch', daemon=True)
        self._first = first
        self._parent = os.getppid()
        self._seen: context.Run | None = None
        self._next_look = 0.0
        self._lost: Any = None

    def run(self) -> None:
        """Until the process ends."""
        if self._first is not None:
            self._first()
        while os.getppid() == self._parent:
            time.sleep(1)
            run = context.delivered_run()
            if run is not self._seen:
                self._begin(run)
            elif run is not None and time.monotonic() >= self._next_look:
                self._next_look = time.monotonic() + LOOK
                if self._must_end(run) and context.delivered_run() is run:
                    break
        os.killpg(0, signal.SIGKILL)  # the horse leads a process group of its own

    def _begin(self, run: context.Run | None) -> None:
        # Only a run that takes long is looked at, so that short ones cost no connection.
        connections.close_all()
        self._seen, self._lost = run, None
        self._next_look = time.monotonic() + LOOK - 1

    def _must_end(self, run: context.Run) -> bool:
        fence = _lost_fence(run)
        # Seen twice: the first time, the job may just have ended, with its process about to.
        if fence is not None and fence is self._lost:
            logger.warning('The claim of this job is lost; its process ends itself.')
            return True
        self._lost = fence
        return False


def _lost_fence(run: context.Run) -> dict[str, Any] | None:
    """The conditions of the run's claim, if the row does not meet them any more."""
    fence = run.job._fence
    if fence is None or run.job.ended:
        return None
    try:
        held = Job.objects.using(transitions.database()).filter(pk=run.job.pk, **fence).exists()
    except DBError:
        connections.close_all()
        return None
    return None if held else fence

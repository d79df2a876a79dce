"""A worker's child, as its parent sees it."""

import os
import select
import signal
import time
from multiprocessing.connection import Connection
from typing import Any

from ..execution.time_limit import Span
from .child import Answer

#: Seconds that a child which is to end in order is waited for.
_FAREWELL = 5.0

#: What `os.wait4()` says of a process that has ended.
Ended = tuple[int | None, int | None, Any]


class Child:
    """A process that waits for a job, or for one after the other."""

    def __init__(self, pid: int, pipe: Connection, span: Span | None = None) -> None:
        self.pid, self.pipe = pid, pipe
        #: Where it tells when the time limit of its job is over.
        self.span = span or Span()
        self.descriptor = _descriptor_of(pid)
        #: How many jobs it has begun.
        self.jobs = 0
        #: Whether the job that it has runs in it as the last one.
        self.last = False
        #: What it has told of the end of that job; None if it has not.
        self.answer: Answer | None = None

    def is_alive(self) -> bool:
        """Whether it can be told of a job; False also when it has ended itself in order."""
        try:
            return os.waitpid(self.pid, os.WNOHANG)[0] == 0
        except ChildProcessError:
            return False

    def send(self, message: Any) -> None:
        """Tell it something. That it dies this moment is seen to as the death of any horse."""
        try:
            self.pipe.send(message)
        except OSError:
            pass

    @property
    def goes_on(self) -> bool:
        """Whether it has told of the end of its job, and still is there."""
        return self.answer is not None and not self.last

    def look(self, seconds: float) -> Ended | None:
        """Wait so long for the end of its job (its own, if that is its last); None if it goes on."""
        watched: list[Any] = [self.pipe] if self.descriptor is None else [self.pipe, self.descriptor]
        ready = select.select(watched, [], [], seconds)[0]
        if self.pipe in ready:
            try:
                self.answer = self.pipe.recv()
            except (EOFError, OSError):  # it dies; how, is known in a moment
                select.select(watched[1:], [], [], 0.01)
            if self.goes_on:
                return self.pid, os.EX_OK, None
        try:
            found = os.wait4(self.pid, os.WNOHANG)
        except ChildProcessError:
            return None, None, None
        return found if found[0] else None

    def dismiss(self) -> None:
        """End it in order, as it waits or has died, with what its jobs have left behind."""
        self.send(None)  # other processes may hold the pipe open, so that it would not hear its end
        self.pipe.close()
        deadline = time.monotonic() + _FAREWELL
        while self.is_alive() and time.monotonic() < deadline:
            if self.descriptor is None:
                time.sleep(0.02)
            else:
                select.select([self.descriptor], [], [], 0.1)
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self.is_alive()
        self.close()

    def close(self) -> None:
        """Forget it."""
        self.pipe.close()
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def _descriptor_of(pid: int) -> int | None:
    """One by which the end of a process is waited for, where the system has such."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None

"""A child process as its parent sees it: forked, told, watched, and reaped."""

import logging
import math
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any

from .child import SHOW
from .child_end import PATIENCE, flush_output
from .protocol import Done, Failed, SharedPage

logger = logging.getLogger('netbox_jobs')

#: Seconds that the parent waits until a child is suspended.
_SUSPENSION = 1.0

#: What `os.wait4()` says of a process that has ended.
Ended = tuple[int | None, int | None, Any]


class ChildHandle:
    """A process that waits for jobs."""

    def __init__(self, pid: int, pipe: Connection, page: SharedPage | None = None) -> None:
        self.pid, self.pipe = pid, pipe
        self.page = page or SharedPage()
        self.descriptor = _descriptor_of(pid)
        #: How many jobs it has been sent.
        self.jobs = 0
        #: What it has said of its batch: that it is over, and what each job that has failed has failed with.
        self.done: Done | None = None
        self.failures: dict[int, str] = {}
        #: Whether it ends by itself after its batch.
        self.last = False
        self._ends_until = 0.0

    @classmethod
    def fork(cls, live: Callable[[Connection, SharedPage], Any]) -> 'ChildHandle':
        """Fork a child that calls `live()`, which does not return.

        Raises:
            OSError: The system has no room for another process.
        """
        (ours, theirs), page = multiprocessing.Pipe(), SharedPage()
        flush_output()
        try:
            pid = os.fork()
            if pid == 0:
                ours.close()
                live(theirs, page)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        try:
            os.setpgid(pid, pid)  # as the child does itself: whichever comes first
        except OSError:
            pass
        return cls(pid, ours, page)

    def is_alive(self) -> bool:
        """Whether it can be sent a job; False also when it has ended by itself."""
        try:
            return os.waitpid(self.pid, os.WNOHANG)[0] == 0
        except ChildProcessError:
            return False

    def send(self, message: Any) -> None:
        """Send it a message of the protocol. Its death at this moment is found like any other."""
        try:
            self.pipe.send(message)
        except OSError:
            pass

    @property
    def takes_more(self) -> bool:
        """Whether its batch is over, and it waits for another."""
        return self.done is not None and not self.last

    def look(self, seconds: float) -> Ended | None:
        """Wait so long for the end of its batch (for its own, if that batch is its last).

        Returns:
            What `os.wait4()` says, or the like if the child continues; None if neither has ended.
        """
        watched: list[Any] = [self.pipe] if self.descriptor is None else [self.pipe, self.descriptor]
        if self.done is not None and self.last:
            watched = watched[1:]
            if time.monotonic() > self._ends_until:
                self._end_hard()
        if self.pipe in wait(watched, seconds):
            self._receive()
        if self.takes_more:
            return self.pid, os.EX_OK, None
        try:
            found = os.wait4(self.pid, os.WNOHANG)
        except ChildProcessError:
            return None, None, None
        if not found[0]:
            return None
        while self.done is None and self.pipe.poll():  # what it has said before its end
            if not self._receive():
                break
        return found

    def _receive(self) -> bool:
        try:
            message = self.pipe.recv()
        except (EOFError, OSError):  # it dies; how, is known in a moment
            if self.descriptor is not None:
                wait([self.descriptor], 0.01)
            return False
        if isinstance(message, Failed):
            self.failures[message.position] = message.error
        else:
            self.done, self.last = message, self.last and not message.more
            self._ends_until = time.monotonic() + PATIENCE
        return True

    def _end_hard(self) -> None:
        """Kill it, as it does not end by itself."""
        logger.warning(
            'Process %d did not end within %d seconds after its job (exit handlers, telemetry); it is killed. Its '
            'standard error shows what it waited for.', self.pid, PATIENCE,
        )  # fmt: skip
        self.signal(SHOW)
        time.sleep(0.1)
        self.kill()
        self._ends_until = math.inf

    def suspend(self) -> None:
        """Suspend it, so that the page does not change until it is killed or resumed."""
        try:
            os.kill(self.pid, signal.SIGSTOP)
            deadline = time.monotonic() + _SUSPENSION
            options = os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT
            while os.waitid(os.P_PID, self.pid, options) is None and time.monotonic() < deadline:
                time.sleep(0.001)
        except (ProcessLookupError, ChildProcessError):
            pass

    def signal(self, number: int) -> None:
        """Send it a signal, if it is there."""
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            pass

    def kill(self) -> None:
        """Kill it with all that its jobs have started."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def dismiss(self) -> None:
        """End it, as it waits or has died, with what its jobs have left behind."""
        self.send(None)  # other processes may hold the pipe open, so that it would not notice its end
        self.pipe.close()
        deadline = time.monotonic() + PATIENCE
        while (alive := self.is_alive()) and time.monotonic() < deadline:
            if self.descriptor is None:
                time.sleep(0.02)
            else:
                wait([self.descriptor], 0.1)
        if alive:
            self._end_hard()
        self.kill()  # what its jobs have left behind
        self.is_alive()
        self.close()

    def close(self) -> None:
        """Forget it."""
        self.pipe.close()
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def _descriptor_of(pid: int) -> int | None:
    """A descriptor that tells the end of the process, where the system has those."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None

"""The time limit of `run()`: first an exception in it, then, if the code swallows that, the end of its process."""

import faulthandler
import mmap
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from rq.timeouts import JobTimeoutException, TimerDeathPenalty

#: Seconds beyond the time limit after which the process of a job that ignores it is ended.
GRACE = 8.0
#: Seconds after which a limit around another one interrupts once more.
_AGAIN = 1.0


class Span:
    """Memory that a child process shares with its parent: when the time limit is over, on their monotonic clock."""

    def __init__(self, size: int = 8) -> None:
        self._memory = mmap.mmap(-1, size)

    def record(self, moment: float) -> None:
        """Record until when the block may last; when it was left, as a negative number; 0 before it is entered."""
        struct.pack_into('d', self._memory, 0, moment)

    def read(self) -> float:
        """Return what was recorded last."""
        return float(struct.unpack_from('d', self._memory, 0)[0])


#: The signals upon which a process prints its tracebacks.
shown_on: set[int] = set()
#: In a child process of a worker: the memory that its parent reads.
span: Span | None = None


class Deadline:
    """A time limit in seconds around a block; -1 is none. `disarm()` lifts it before the block's end.

    Within the block of another one, it ends with that at the latest, and leaves that as it was.
    """

    def __init__(
        self, seconds: int, interrupt: Callable[[], bool] = lambda: False, *, watched: bool = False, sole: bool = True
    ) -> None:
        """Args:
        seconds: The limit.
        interrupt: Called when it is over; if it returns True, it ends the block itself, and nothing is raised.
        watched: Whether a parent ends this process when it ignores the limit.
        sole: Whether this process does nothing else meanwhile, so that it may be ended.
        """
        self._seconds = seconds
        self._interrupt = interrupt
        self._ends_process = sole and not watched
        self._tells = watched and span is not None and span.read() <= 0
        #: Whether the limit has been exceeded.
        self.expired = False
        self._armed = False
        self._previous: Any = None
        self._outer_end: float | None = None  # of the timer around this one
        self._penalty: Any = None
        self._on_main_thread = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> 'Deadline':
        if self._seconds < 0:
            return self
        self._armed = True
        if self._ends_process:
            self._plan_hard_end()
        elif self._tells and span is not None:
            span.record(time.monotonic() + self._seconds)
        if self._on_main_thread:
            self._previous = signal.signal(signal.SIGALRM, self._expire)
            left, _interval = signal.setitimer(signal.ITIMER_REAL, self._seconds)
            if left:
                self._outer_end = time.monotonic() + left
                signal.setitimer(signal.ITIMER_REAL, min(self._seconds, left))
        else:
            # A class of its own: RQ's timer rewrites the exception class that it is given.
            kind = type('JobTimeoutException', (JobTimeoutException,), {})
            self._penalty = TimerDeathPenalty(self._seconds, kind)
            self._penalty.setup_death_penalty()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.disarm()
        if self._outer_end is not None:
            # At once, if it has passed meanwhile; and again, as this block is left through code that logs what is
            # raised in it and goes on: hooks of a commit, the delivery.
            signal.setitimer(signal.ITIMER_REAL, max(self._outer_end - time.monotonic(), 0.001), _AGAIN)
            self._outer_end = None

    def disarm(self) -> None:
        """Lift the limit: our own writes follow, which nothing may interrupt, nor a limit around it."""
        if not self._armed:
            return
        self._armed = False
        if self._on_main_thread:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._previous or signal.SIG_DFL)
        else:
            self._penalty.cancel_death_penalty()
        if self._ends_process:
            faulthandler.cancel_dump_traceback_later()
        elif self._tells and span is not None:
            span.record(-time.monotonic())

    def error(self) -> JobTimeoutException:
        """Return what is raised in the block when the limit is exceeded."""
        return JobTimeoutException(f'Task exceeded maximum timeout value ({self._seconds} seconds)')

    def _expire(self, signum: int, frame: FrameType | None) -> None:
        self.expired = True
        if not self._interrupt():
            raise self.error()

    def _plan_hard_end(self) -> None:
        # faulthandler's timer needs no Python to run: it ends a process that is stuck in C code, or whose code
        # swallows every exception, and shows where it was.
        if (stream := _stream()) is not None:
            faulthandler.dump_traceback_later(self._seconds + GRACE, exit=True, file=stream)


def show_on(number: int) -> None:
    """Have this process print its tracebacks when it receives this signal, even if it is stuck in C code."""
    if (stream := _stream()) is not None:
        faulthandler.register(number, file=stream)
        shown_on.add(number)


def is_ours(handler: Any) -> bool:
    """Return whether a signal handler is that of a time limit."""
    return isinstance(getattr(handler, '__self__', None), Deadline)


def _stream() -> Any:
    return next((s for s in (sys.stderr, sys.__stderr__) if s is not None and _has_descriptor(s)), None)


def _has_descriptor(stream: Any) -> bool:
    try:
        return isinstance(stream.fileno(), int)
    except (AttributeError, OSError, ValueError):
        return False

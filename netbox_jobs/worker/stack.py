"""The stack of a running job, taken by a thread of its own process.

The thread only looks: it sends no signal, takes no lock of the job, and evaluates no variable. So a request never
changes, interrupts or ends a job. A process whose code keeps all other threads waiting does not answer.
"""

import os
import resource
import socket
import sys
import threading
import time
import traceback
from types import FrameType
from typing import Any

from django.db import connections
from django.utils import timezone

from ..core import runs
from ..core.text import storable_text
from ..models import JobStack, database

#: How many samples are taken, and seconds between two of them.
SAMPLES, PAUSE = 5, 0.1
#: How many characters of the stack are kept, the innermost.
LONGEST = 60_000

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_CALL = os.path.join(_PACKAGE, 'execution', 'call.py')


class Sampler(threading.Thread):
    """Answers the request for the stack of one run."""

    def __init__(self, run: runs.Run) -> None:
        """Args:
        run: The run of the job, which has claimed it.
        """
        super().__init__(name='netbox_jobs stack', daemon=True)
        self._run, self._job, self._attempt = run, run.job.pk, run.job.claim.attempt

    def run(self) -> None:
        """Take the samples, and write them, unless another run has begun meanwhile."""
        try:
            found = take()
            if runs.delivered_run() is self._run:
                rows = JobStack.objects.using(database())
                rows.filter(pk=self._job, attempt=self._attempt, taken=None).update(**found)
        except Exception:
            pass  # not logged, as a line of this thread would be one of the job; the watchdog asks again
        finally:
            connections.close_all()


def take() -> dict[str, Any]:
    """Return the fields of a `JobStack` for what this process does now."""
    main = threading.main_thread().ident or 0
    places: list[Any] = []
    began, used = time.monotonic(), _cpu_seconds()
    for number in range(SAMPLES):
        if number:
            time.sleep(PAUSE)
        frame = sys._current_frames().get(main)
        places.append((frame.f_code, frame.f_lineno) if frame is not None else None)
        del frame
    text = _all_threads(main)
    seconds = time.monotonic() - began
    return {
        'taken': timezone.now(),
        'stack': storable_text(text[-LONGEST:]),
        'samples': SAMPLES,
        'same': places.count(places[-1]),
        'host': socket.gethostname()[:255],
        'pid': os.getpid(),
        'memory': _memory(),
        'cpu': round((_cpu_seconds() - used) / seconds * 100, 1),
    }


def _all_threads(main: int) -> str:
    """Return the stacks of the threads that the job has started, and at last its own."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames = sys._current_frames()
    own = frames.pop(main, None)
    frames.pop(threading.get_ident(), None)
    parts = []
    for ident, frame in frames.items():
        name = names.get(ident, str(ident))
        if not name.startswith('netbox_jobs'):
            parts.append(f'Thread {name}:\n{_lines(frame)}\n')
    if own is not None:
        parts.append(f'The job:\n{_lines(own)}')
    return ''.join(parts)


def _lines(frame: FrameType) -> str:
    """Return the stack of a thread as a traceback has it, the innermost call last, without the calls of the worker."""
    calls: Any = traceback.extract_stack(frame)
    begun = next((place for place, call in enumerate(calls) if call.filename == _CALL), -1) + 1
    while begun and begun < len(calls) - 1 and calls[begun].filename.startswith(_PACKAGE):
        begun += 1
    return ''.join(traceback.format_list(calls[begun:]))


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _memory() -> int | None:
    """Return how much memory this process has, in bytes; None where the system does not say."""
    try:
        with open('/proc/self/statm') as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return None

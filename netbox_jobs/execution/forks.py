"""A process that `run()` forks finds the defaults: the signal handlers of a worker are none of its business.

With a worker's, `Process.terminate()` would be ignored, and `multiprocessing.Pool` would hang at its end. (A process
that is executed, as by `subprocess`, has the defaults anyway.)
"""

import faulthandler
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..core import identity
from . import time_limit

# The handlers that were there before the delivered run began, with the process that it runs in.
_inherited: dict[int, Any] = {}
_pid = 0
_running = False
_inherited_mask: set[Any] = set()
# The signals whose handlers a job may leave behind, and the handlers that they had before; a look at all signals takes
# as long as a tenth of a job.
_LEFT = [
    getattr(signal, name)
    for name in ('SIGHUP', 'SIGQUIT', 'SIGALRM', 'SIGCHLD', 'SIGPIPE', 'SIGVTALRM', 'SIGPROF')
    if hasattr(signal, name)
]
_before: dict[int, Any] = {}
# Its `mask` is what is blocked in a thread apart from the moment of a fork. (Several may fork at once.)
_forking = threading.local()


@contextmanager
def of_run() -> Iterator[None]:
    """Take the signal handlers that are there now for those of a worker, in processes that are forked in the block."""
    global _running
    # A child of a worker has looked before its first job, and has the same handlers again after each one.
    if _pid != os.getpid() or not identity.is_child_of_worker():
        note()
    _running = True
    try:
        yield
    finally:
        _running = False


def leave_to_parent() -> None:
    """Do nothing upon the signals that end a worker: its parent decides when this process ends.

    By a function, as a program that `run()` executes would inherit an ignored signal; and by the same one after each
    job, so that a process that it forks later knows it again.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _do_nothing)


def _do_nothing(*_args: Any) -> None:
    pass


def note() -> None:
    """Note the handlers that are there now."""
    global _pid, _inherited, _inherited_mask, _before
    _pid, _inherited_mask = os.getpid(), set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    found = {number: signal.getsignal(number) for number in signal.valid_signals()}
    _inherited = {number: handler for number, handler in found.items() if callable(handler)}
    _before = {number: found[number] for number in _LEFT}


def undo() -> None:
    """After a job in a child that runs another: undo what the job has done to signals and timers.

    With SIGCHLD ignored, for example, `subprocess` would take each failure of a program for success.
    """
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        signal.setitimer(timer, 0)
    signal.set_wakeup_fd(-1)
    for number, handler in _before.items():
        if signal.getsignal(number) != handler:
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    if _pid == os.getpid() and signal.pthread_sigmask(signal.SIG_BLOCK, ()) != _inherited_mask:
        signal.pthread_sigmask(signal.SIG_SETMASK, _inherited_mask)


def _block() -> None:
    """Before a fork: a signal that reaches the new process before it has the defaults waits until it has them."""
    if _running and os.getpid() == _pid:
        _forking.mask = set(signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()))


def _unblock() -> None:
    mask, _forking.mask = getattr(_forking, 'mask', None), None
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _restore_defaults() -> None:
    """In a process that a run has forked: what the run itself has set stays."""
    global _running
    if not _running or os.getpid() == _pid:
        return
    for number in time_limit.shown_on:
        faulthandler.unregister(number)
    if time_limit.is_ours(signal.getsignal(signal.SIGALRM)):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for number, handler in _inherited.items():
        if signal.getsignal(number) == handler:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    _running = False
    signal.pthread_sigmask(signal.SIG_SETMASK, (getattr(_forking, 'mask', None) or set()) - _inherited_mask)


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(before=_block, after_in_parent=_unblock, after_in_child=_restore_defaults)

"""What befalls the process of a job from within: steps at which it dies, and what its own code does to it."""

import ctypes
import errno
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from netbox_jobs.execution import ending, entry, execution
from netbox_jobs.lifecycle import announcements, claim_next, finish
from netbox_jobs.models import JobAttempt

from .traces import trace

STEPS = ('before the terminal write', 'before the successor', 'before the commit', 'after it')
#: The same where a job is given back for another attempt.
RELEASE_STEPS = ('before it is given back', 'before that is committed', 'after it is given back')


def install(step: str) -> None:
    """Have this process's children (with `TEST_KILL_AT`), or this very process (in a job), die at `step`."""
    own = os.getpid() if os.environ.get('TEST_KILL_AT') else 0

    def die() -> None:
        if os.getpid() != own:
            os.kill(os.getpid(), signal.SIGKILL)

    if step == 'before the terminal write':
        _around(execution.Execution, 'before_end', before=die)
    elif step == 'before the successor':
        _around(finish, '_update', after=die)
    elif step == 'before the commit':
        _around(finish, 'make_successor', after=die)
    elif step == 'after it':
        _around(announcements.EndAnnouncement, '__call__', before=die)
    elif step == 'before it is given back':
        _around(ending, 'requeue', before=die)
    elif step == 'before that is committed':
        _around(JobAttempt.objects, 'using', before=die)
    elif step == 'after it is given back':
        _around(ending, 'requeue', after=die)


def install_failing_forks(path: str) -> None:
    """Have the system refuse the workers every fork while this file is there."""
    fork = os.fork

    def fallible() -> int:
        caller = sys._getframe(1).f_globals['__name__']  # not what starts the workers
        if caller.startswith('netbox_jobs.') and Path(path).exists():
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return fork()

    os.fork = fallible


def install_before_claim(folder: str) -> None:
    """Have the process of a job die before it claims, with its worker or without, as often as a file there asks for."""
    claim = entry.claim

    def fallible(*args: Any) -> Any:
        for name, victims in (('horse', (os.getpid(),)), ('worker', (os.getppid(), os.getpid()))):
            try:
                Path(folder, f'kill-{name}-before-claim').unlink()
            except FileNotFoundError:
                continue
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
        return claim(*args)

    entry.claim = fallible
    # As in a project that listens to no signal: jobs are claimed with the end of those before them.
    claim_next._is_silent = lambda job: not job.awaited


def trace_end(sender: Any, **kwargs: Any) -> None:
    """A receiver of `job_end`: leaves a trace of each job whose end it receives."""
    trace(sender, 'told')


def befall(how: str) -> None:
    """Do to the current job what `how` says."""
    if how in STEPS or how in RELEASE_STEPS:
        install(how)
    elif how in ('killed', 'dies every time'):
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == 'segmentation fault':
        ctypes.string_at(0)
    elif how == 'exits':
        os._exit(7)
    elif how == 'over time':
        time.sleep(30)
    elif how == 'over time and deaf':
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                time.sleep(30)
            except Exception:
                continue
    elif how == 'transaction left open':
        transaction.atomic().__enter__()
    elif how == 'transaction broken':
        transaction.atomic().__enter__()
        with connection.cursor() as cursor:
            cursor.execute('SELECT nonsense FROM nowhere')
    elif how == 'raises':
        raise RuntimeError('unexpected')
    else:
        raise AssertionError(how)


def _around(owner: Any, name: str, *, before: Any = None, after: Any = None) -> None:
    original = getattr(owner, name)

    def replacement(*args: Any, **kwargs: Any) -> Any:
        if before:
            before()
        result = original(*args, **kwargs)
        if after:
            after()
        return result

    setattr(owner, name, replacement)

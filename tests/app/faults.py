"""Kills the process of a job at a named step, if `TEST_KILL_AT` says so; once for each worker."""

import os
import signal
from typing import Any

from django.db import transaction

from netbox_jobs import execution
from netbox_jobs.models import transitions


def install(step: str) -> None:
    """Have the next job of this process's children die at `step`."""
    own = os.getpid()

    def die() -> None:
        if os.getpid() != own:
            os.kill(os.getpid(), signal.SIGKILL)

    if step == 'before the terminal write':
        _before(execution.Execution, 'before_end', die)
    elif step == 'within it':
        make_successor = transitions.make_successor

        def made(*args: Any) -> Any:
            if transaction.get_connection().in_atomic_block:
                make_successor(*args)
            die()

        transitions.make_successor = made
    elif step == 'after it':
        _before(transitions, '_after_end', die)


def _before(owner: Any, name: str, act: Any) -> None:
    original = getattr(owner, name)

    def replacement(*args: Any, **kwargs: Any) -> Any:
        act()
        return original(*args, **kwargs)

    setattr(owner, name, replacement)

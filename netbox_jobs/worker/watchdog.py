"""The thread that watches, in the process that runs jobs: it outlives neither its parent nor its claim."""

import logging
import os
import signal
import threading
import time

from django.db import Error as DBError
from django.db import connections
from django.db.models import Exists, OuterRef

from ..core import runs
from ..core.claim import Claim
from ..models import Job, JobStack, database
from .stack import Sampler

logger = logging.getLogger('netbox_jobs')

#: Seconds between two looks of a child at its own claim.
LOOK = 3.0


class Watchdog(threading.Thread):
    """Ends this process, with all that it has spawned, when its parent has died or the claim of the run is lost."""

    def __init__(self, parent: int) -> None:
        """Args:
        parent: The parent's process id, as it knows itself: it may be dead already.
        """
        super().__init__(name='netbox_jobs watchdog', daemon=True)
        self._parent = parent
        self._seen: runs.Run | None = None
        self._next_look = 0.0
        self._lost: Claim | None = None
        self._sampler: Sampler | None = None

    def run(self) -> None:
        """Until the process ends."""
        while os.getppid() == self._parent:
            time.sleep(1)
            run = runs.delivered_run()
            if run is not self._seen:
                self._begin(run)
            elif run is not None and time.monotonic() >= self._next_look:
                self._next_look = time.monotonic() + LOOK
                if self._must_end(run) and runs.delivered_run() is run:
                    break
        os.killpg(0, signal.SIGKILL)  # the child leads a process group of its own

    def _begin(self, run: runs.Run | None) -> None:
        # Only a run that takes long is looked at, so that short ones cost no connection.
        connections.close_all()
        self._seen, self._lost = run, None
        self._next_look = time.monotonic() + LOOK - 1

    def _must_end(self, run: runs.Run) -> bool:
        claim, asked = _look(run)
        if asked and claim is None and not (self._sampler is not None and self._sampler.is_alive()):
            # In a thread of its own: a write that waits must not keep this one from its watch.
            self._sampler = Sampler(run)
            self._sampler.start()
        # Seen twice: the first time, the job may just have ended, with its process about to.
        if claim is not None and claim == self._lost:
            logger.warning('The claim of this job is lost; its process ends itself.')
            return True
        self._lost = claim
        return False


def _look(run: runs.Run) -> tuple[Claim | None, bool]:
    """Return the run's claim if the row does not meet its conditions any more, and whether its stack is asked for."""
    claim: Claim | None = run.job.claim
    if claim is None or run.job.ended:
        return None, False
    try:
        asked = JobStack.objects.filter(pk=OuterRef('pk'), attempt=OuterRef('attempt'), taken=None)
        rows = Job.objects.using(database()).filter(pk=run.job.pk, **claim.conditions)
        held = list(rows.values_list(Exists(asked), flat=True)[:1])
    except DBError:
        connections.close_all()
        return None, False
    return (None, bool(held[0])) if held else (claim, False)

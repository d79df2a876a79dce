"""The thread that watches, in the process that runs jobs: it outlives neither its parent nor its claim."""

import logging
import os
import signal
import threading
import time

from django.db import Error as DBError
from django.db import connections

from ..core import runs
from ..core.claim import Claim
from ..models import Job, database

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
        claim = _lost_claim(run)
        # Seen twice: the first time, the job may just have ended, with its process about to.
        if claim is not None and claim == self._lost:
            logger.warning('The claim of this job is lost; its process ends itself.')
            return True
        self._lost = claim
        return False


def _lost_claim(run: runs.Run) -> Claim | None:
    """Return the run's claim, if the row does not meet its conditions any more."""
    claim: Claim | None = run.job.claim
    if claim is None or run.job.ended:
        return None
    try:
        held = Job.objects.using(database()).filter(pk=run.job.pk, **claim.conditions).exists()
    except DBError:
        connections.close_all()
        return None
    return None if held else claim

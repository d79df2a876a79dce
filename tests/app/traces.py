"""What the runners of the tests leave behind, so that tests can see what ran."""

import os
from typing import Any

from .models import Trace


def trace(job: Any, what: str) -> None:
    """Record that `what` happened to this job, and in which process."""
    Trace.objects.create(job_pk=job.pk, what=what, pid=os.getpid())

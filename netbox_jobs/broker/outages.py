"""What the log says while a server of Redis is away: one line when it goes, one a minute, one when it is back."""

import logging
import threading
import time
from dataclasses import dataclass

logger = logging.getLogger('netbox_jobs')

#: Seconds between two lines about one outage.
INTERVAL = 60.0


@dataclass
class _Outage:
    reported: float
    #: How many jobs could not be delivered so far, and how many of them a line has named.
    jobs: int = 0
    named: int = 0


# By the server.
_outages: dict[int, _Outage] = {}
_lock = threading.Lock()


def begin_or_count(server: int, subject: str, jobs: int, error: Exception) -> None:
    """Count jobs that could not be delivered; log the first of them, and once a minute how many there have been.

    Args:
        server: What stands for the server.
        subject: What could not be delivered, for the first line.
        jobs: How many jobs that is.
        error: Why.
    """
    now = time.monotonic()
    with _lock:
        outage = _outages.get(server)
        first = outage is None
        outage = outage or _outages.setdefault(server, _Outage(now))
        outage.jobs += jobs
        if not first and now - outage.reported < INTERVAL:
            return
        more, outage.named, outage.reported = outage.jobs - outage.named, outage.jobs, now
    if first:
        logger.warning(
            '%s is stored, but Redis does not answer (%s); it is delivered when Redis is back.', subject, error
        )
    else:
        logger.warning(
            'Redis still does not answer (%s); %s more jobs are stored, %s in all.', error, more, outage.jobs
        )


def end(server: int) -> None:
    """Log that a server answers again, if it was away."""
    if server not in _outages:  # nearly always, and without a lock
        return
    with _lock:
        outage = _outages.pop(server, None)
    if outage is not None:
        logger.warning('Redis answers again; recovery delivers the jobs that were stored meanwhile (%s).', outage.jobs)


def forget() -> None:
    """Forget all outages."""
    with _lock:
        _outages.clear()

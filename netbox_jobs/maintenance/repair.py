"""Recovery by hand: what the workers do all the time, done once, with a report."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db.models import Count

from ..choices import JobStatusChoices
from ..core import clock, conf
from ..execution import heartbeat
from ..models import Job, database
from . import recovery, slots
from .observer import Observer, RunKey
from .orphans import end_orphans


@dataclass(frozen=True)
class Finding:
    """A disagreement that was found: how often, and what was, or would be, done about it."""

    count: int
    text: str


def run(*, dry_run: bool, on_wait: Callable[[float], None], sleep: Callable[[float], None]) -> Iterator[Finding]:
    """Look for everything that recovery repairs, and repair it.

    Args:
        dry_run: Only look.
        on_wait: Called with the seconds for which the workers of running jobs are watched.
        sleep: How to wait, in seconds.
    """
    jobs = Job.objects.using(database())
    late = jobs.filter(status=JobStatusChoices.STATUS_SCHEDULED, due__lte=clock.now_ms())
    count = late.count() if dry_run else recovery.deliver_due()
    yield Finding(count, 'scheduled jobs are due: handed to RQ')
    count = sum(1 for _ in recovery.vanished()) if dry_run else recovery.redeliver_vanished()
    yield Finding(count, 'waiting jobs are unknown to RQ: delivered again')
    if not dry_run:
        recovery.settle_dependents()
        slots.give_slots()
        slots.wake_signaled()
    gated = jobs.filter(status=JobStatusChoices.STATUS_PENDING, due=None).exclude(runner='')
    yield Finding(gated.count(), 'jobs wait for others that have not ended: left waiting')
    line = jobs.filter(status=JobStatusChoices.STATUS_SCHEDULED, due=None)
    yield Finding(line.count(), 'jobs wait for a slot of a limit: left waiting')
    yield from _orphans(dry_run, on_wait, sleep)


def _orphans(dry_run: bool, on_wait: Callable[[float], None], sleep: Callable[[float], None]) -> Iterator[Finding]:
    running = Job.objects.using(database()).running().exclude(worker=None)
    if not running.exists():
        yield Finding(0, 'running jobs whose worker is gone')
        return
    # A worker counts every few seconds; one whose count has moved lives, and need not be watched any longer.
    before = Observer().look()
    # One that comes back to life in the last moment may claim another job before it counts.
    claims = set(running.values_list('pk', 'attempt'))
    limit = max(conf.get('WORKER_TIMEOUT'), 2 * heartbeat.INTERVAL + 1)
    on_wait(limit)
    waited = 0.0
    suspects = {token for token in running.values_list('worker', flat=True) if token}
    while suspects and waited < limit:
        sleep(1)
        waited += 1
        now = Observer().look()
        suspects = {token for token in suspects if now.get(token, -1) == before.get(token)}
    count = 0
    by_worker = running.filter(worker__in=suspects).order_by().values_list('worker').annotate(Count('pk'))
    for token, held in by_worker:
        count += held if dry_run else _end(token or '', limit, claims)
    yield Finding(count, "running jobs' worker is gone: errored, or run again where the runner asks for it")


def _end(token: str, limit: float, claims: set[RunKey]) -> int:
    return end_orphans(token, f'no sign of life for {limit:.0f} seconds', claims)

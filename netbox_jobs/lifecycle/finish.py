"""To a terminal status: once, in one transaction with the successor."""

import logging
import time
from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import DataError, IntegrityError, OperationalError, connections, transaction
from django.db.models import F
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from ..choices import JobStatusChoices
from ..core import errors, guards, identity, recurrence, runs, transactions
from ..core.claim import Claim, Outcome
from ..core.text import storable_error, storable_text
from ..models import Job, PendingChange, Schedule, cached_sql, database, services
from ..models.data import storable
from . import left
from .announcements import EndAnnouncement
from .changed import kept_arguments
from .locks import ScheduleLocked, lock_schedule, try_lock
from .successor import ENDED, make_successor
from .unlocked import is_locked, wait_again

logger = logging.getLogger('netbox_jobs')

_WRONG = (JobStatusChoices.STATUS_ERRORED, JobStatusChoices.STATUS_FAILED)
#: The error of a job that was stopped while it ran.
STOPPED = 'It was stopped while it ran.'


@services.finish.provide
def finish(
    job: Job,
    status: str,
    error: str | None = None,
    *,
    claim: Claim | None = None,
    only: Collection[str] | None = None,
    wait: bool = True,
) -> bool:
    """End the job in a terminal status, with its successor if it is periodic, in one transaction.

    The holder of the claim ends the job. An object that was merely loaded takes it over, unless the job has ended: the
    first end stands. If another transaction keeps the row locked, the end of a worker's run is left to recovery.

    Args:
        job: The job.
        status: A terminal one.
        error: What went wrong; None leaves what the job has.
        claim: The claim under which to end it, if the object does not hold it: that of a dead worker.
        only: The statuses from which to end it, whatever the object holds.
        wait: Whether to wait for locks that other transactions hold on the job or its schedule.

    Returns:
        Whether this call ended it, or has left its end.

    Raises:
        OperationalError: `wait` is False, and another transaction holds a lock.
    """
    if claim is not None:
        job.claim, job.outcome = claim, None
    run = runs.run_of(job)
    if run is not None:
        if run.before_end() and status == JobStatusChoices.STATUS_COMPLETED:
            status, error = JobStatusChoices.STATUS_ERRORED, repr(TransactionManagementError(guards.GIVEN_UP))
        if job.claim is None and job.outcome is None:
            job.claim, job.outcome = run.job.claim, run.job.outcome
    reopen(job)
    if only is None and (job.outcome is not None or (job.claim is not None and job.claim.lost)):
        return False
    end = _End(job, *outcome_values(job, status, error), only, wait, run)
    if run.persist(end.write) if run is not None else transactions.again(end.write, end.using):
        return True
    return end.explain()


def finish_as_left(
    job: Job, claim: Claim, status: str, values: dict[str, Any], changed: list[str] | None = None
) -> bool:
    """End a job with the columns that its run has left; return whether its row was still under the claim.

    Args:
        job: The job.
        claim: That of the run.
        status: A terminal one.
        values: The columns.
        changed: What the run has kept of its arguments, for the successor; see `changed.py`.

    Raises:
        OperationalError: Another transaction holds a lock on the job or its schedule.
    """
    job.claim, job.outcome = claim, None
    job.interval = values.get('interval', job.interval)  # what run() has set counts for the successor
    end = _End(job, status, values, None, False, None, changed)
    return end.write() or end.explain()


class _End:
    """The terminal UPDATE of a job with what belongs to it; it may be written again after the connection was lost."""

    def __init__(
        self,
        job: Job,
        status: str,
        values: dict[str, Any],
        only: Collection[str] | None,
        wait: bool,
        run: runs.Run | None,
        changed: list[str] | None = None,
    ) -> None:
        self._job, self._status, self._values, self._wait, self._changed = job, status, values, wait, changed
        self.using = job._state.db or database()
        self._next = run.next_claim if run is not None and status == JobStatusChoices.STATUS_COMPLETED else None
        self._announcement = EndAnnouncement(job, job.claim, job.status, job.schedule_id)
        self._periodic = job.schedule_id is not None or job.interval is not None
        self._takes_claim = only is None
        self._leaves = wait and only is None and left.is_left(job)
        if only is None and job.claim is not None:
            self._conditions = job.claim.conditions
        else:
            self._conditions = {'status__in': only or JobStatusChoices.ENQUEUED_STATE_CHOICES}

    def write(self) -> bool:
        """Write the end, or leave it; return whether the row still met the conditions."""
        try:
            return self._end()
        except OperationalError as error:
            if not (self._leaves and is_locked(error)):
                raise
        left.leave_end(self._job, self._values, self.using)
        self._show()
        return True

    def _end(self) -> bool:
        if not self._periodic and self._wait:  # one statement, which needs no transaction of its own
            return self._write(None)
        with transactions.transacting(self.using, savepoint=False):
            schedule, locked = None, False
            try:
                schedule = lock_schedule(self._job, self.using, self._wait) if self._periodic else None
            except ScheduleLocked:
                locked = True
            if not self._wait:
                try_lock(Job.objects.using(self.using).filter(pk=self._job.pk), self.using)
            ended = self._write(schedule)
            if ended and locked:
                self._leave_chain()
            return ended

    def _leave_chain(self) -> None:
        """Leave the successor to recovery, which makes it when the schedule is free; see `maintenance.chains`."""
        job, claim = self._job, self._announcement.claim
        logger.info('Job %s (%s): its successor is made when its schedule is no longer locked.', job.pk, job.name)
        values = {ENDED: bool(job.attempt), **kept_arguments(job)}
        if claim is not None and claim.since is not None and claim.interval != job.interval:
            values['interval_at_claim'] = claim.interval  # run() has set another
        PendingChange.leave(job, values, self.using)

    def _write(self, schedule: Schedule | None) -> bool:
        job = self._job
        conditions = {'id': job.pk, **self._conditions}
        if not _update(job, self.using, self._values, conditions, self._next, patient=not self._leaves):
            return False
        if self._leaves and self._periodic:
            wait_again(self.using)
        self._show(self._announcement)
        if schedule is not None and job.attempt:
            Schedule.objects.using(self.using).filter(pk=schedule.pk).update(runs=F('runs') + 1)
        # First: what the user's code wants done after the commit may raise.
        transactions.after_commit(self._announcement, using=self.using, at_once=True)
        if self._periodic:
            make_successor(job, schedule, self._changed)
        return True

    def _show(self, announcement: EndAnnouncement | None = None) -> None:
        job = self._job
        for name, value in self._values.items():
            if name != 'data':  # the object keeps what the user's code put there
                setattr(job, name, value)
        job.outcome = Outcome(job.status, job.attempt, job.completed, announcement)

    def explain(self) -> bool:
        """Log why the end was not recorded; an object whose claim is gone has lost it.

        Returns:
            Whether it was recorded by this call all the same: the answer of the database was lost after the commit.
        """
        job, rows = self._job, Job.objects.using(self.using).filter(pk=self._job.pk)
        if rows.filter(status=self._values['status'], completed=self._values['completed']).exists():
            self._show(self._announcement)
            transactions.after_commit(self._announcement, using=self.using, at_once=True)
            return True
        found = rows.values_list('status', flat=True).first()
        claimed = self._takes_claim and job.claim is not None
        if found is None:
            reason = 'its row has been deleted'
        elif claimed and found == JobStatusChoices.STATUS_RUNNING:
            reason = 'another worker has claimed it since'
        else:
            reason = f'it is {found} already'
        if claimed and job.claim is not None:
            job.claim = replace(job.claim, lost=True)
        log = logger.warning if claimed else logger.info
        log('Job %s (%s): the end as %s was not recorded: %s.', job.pk, job.name, self._status, reason)
        return False


def reopen(job: Job) -> bool:
    """Let the object hold its claim again if the end that it has recorded was rolled back.

    A plugin's `handle()` may end the job within a transaction that fails afterwards.

    Returns:
        Whether that was so.
    """
    announcement: Any = job.outcome.announcement if job.outcome is not None else None
    if announcement is None:
        return False
    waiting = connections[job._state.db or database()].run_on_commit
    if any(entry[1] is announcement for entry in waiting):
        return False  # its transaction is still open
    announcement.undo()
    return True


def outcome_values(job: Job, status: str, error: str | None) -> tuple[str, dict[str, Any]]:
    """Return the status and the columns of the terminal UPDATE.

    What cannot be stored makes the job errored instead of preventing its end.
    """
    problems = []
    now = timezone.now()
    values: dict[str, Any] = {}
    try:
        values['data'] = storable(job)
    except (TypeError, ValueError) as problem:
        problems.append(str(problem))
    try:
        recurrence.check_interval(job.interval)
        values['interval'] = job.interval
    except ValueError as problem:
        problems.append(f'job.{problem}')
        job.interval = job.claim.interval if job.claim is not None else None
    if problems:
        status = JobStatusChoices.STATUS_ERRORED
        error = '\n'.join(filter(None, (error, *problems)))
    if job.claim is not None and job.claim.since is not None:
        values['execution_time'] = timedelta(seconds=time.monotonic() - job.claim.since)
    elif job.started is not None:
        values['execution_time'] = max(now - job.started, timedelta())
    text = storable_error(runs.masked(job, str(error if error else job.error or '')))
    values |= {
        'status': status,
        'completed': now,
        'error': text,
        'fingerprint': errors.fingerprint(job.runner, text) if status in _WRONG else '',
        'worker': None,
        'backend_id': None,
        'slot': None,
    }
    if status in _WRONG and job.claim is not None:
        own = job.claim.token == identity.process_token()
        values['ran_on'] = storable_text(job.ran_on or (identity.process_name() if own else ''))[:255]
    return status, values


def _is_too_large(error: OperationalError) -> bool:
    """Return whether a server refuses a value for its size: PostgreSQL does for JSON of a quarter of a gigabyte."""
    return str(getattr(error.__cause__, 'sqlstate', None) or '').startswith('54') or error.args[:1] == (1153,)


def _update(
    job: Job, using: str, values: dict[str, Any], conditions: dict[str, Any], following: Any, *, patient: bool
) -> int:
    """Write the end; data that only this database refuses (MariaDB's JSON has 32 levels) makes the job errored."""
    connection = connections[using]
    guarded = connection.vendor == 'mysql' and connection.in_atomic_block and values.get('data') is not None
    try:
        if following is not None:
            return int(following.update(job, using, values, conditions))
        with transaction.atomic(using=using) if guarded else nullcontext():
            return cached_sql.update(using, values, conditions, patient=patient)
    except (DataError, IntegrityError, OperationalError) as problem:
        if isinstance(problem, OperationalError) and not _is_too_large(problem):
            raise
        if values.pop('data', None) is None:
            raise
        error = f'{values["error"]}\njob.data cannot be stored: {problem}'.strip()
        error = storable_error(error)
        values |= {'status': JobStatusChoices.STATUS_ERRORED, 'error': error}
        values['fingerprint'] = errors.fingerprint(job.runner, error)
        return cached_sql.update(using, values, conditions, patient=patient)

"""The one module that changes a job's status: each change is one conditional UPDATE, so that the row decides.

Where a chain of jobs is touched, its schedule is locked before the job, here and everywhere, so that no two callers
wait for each other.
"""

import logging
import time
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import DataError, IntegrityError, connections, router, transaction
from django.db.models import F
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from .. import clock, context, delivery, notifications, schedules
from ..choices import JobStatusChoices
from ..exceptions import AlreadyClaimed
from ..signals import job_end, job_start
from ..text import storable_data, storable_text
from . import claims, statements
from .dependents import release_dependents
from .jobs import Job
from .progress import JobAttempt
from .queues import PausedQueue
from .schedules import Schedule
from .successors import make_successor

logger = logging.getLogger('netbox_jobs')

#: The error of a job that was stopped while it ran.
STOPPED = 'It was stopped while it ran.'
#: The error of a run that did not notice that what it did came to nothing.
GIVEN_UP = 'run() went on after a database error within the transaction; what it had written is rolled back.'


def database() -> str:
    """The alias of the database that holds the jobs."""
    return router.db_for_write(Job)


def warm_up(using: str) -> None:
    """Have the SQL made by which jobs are claimed and ended, so that no child of this process has to do so."""
    rehearse(using)
    for job in (Job(pk=1), Job(pk=1, data={})):
        job._claimed_at = 0.0
        _status, values = _outcome(job, JobStatusChoices.STATUS_COMPLETED, None)
        fence = {'status': JobStatusChoices.STATUS_RUNNING, 'worker': context.process_token(), 'attempt': 1}
        statements.made_ready(using, values, {'id': job.pk, **fence})


def rehearse(using: str) -> None:
    """Claim a job that does not exist: from then on, the session knows the tables, and how to find a job."""
    claims.take(uuid4(), context.process_token(), using)


# Waiting


def deliverable(job: Job, *, unless_paused: bool = False) -> bool:
    """Make a due job that waits ready for one more delivery to RQ; False if somebody else has, or it waits no more.

    Args:
        job: The job.
        unless_paused: Not while its schedule is paused, which may have happened since it was read.
    """
    ready = Job.objects.using(job._state.db).filter(
        pk=job.pk, status=job.status, deliveries=job.deliveries, due=job.due
    )
    if unless_paused and job.schedule_id is not None:
        paused = Schedule.objects.using(job._state.db).filter(pk=job.schedule_id, paused=True)
        ready = ready.exclude(schedule_id__in=paused.values('pk'))
    due = clock.now_ms()
    if not ready.update(status=JobStatusChoices.STATUS_PENDING, deliveries=F('deliveries') + 1, due=due):
        return False
    job.status, job.due, job.deliveries = JobStatusChoices.STATUS_PENDING, due, job.deliveries + 1
    return True


def put_back(job: Job) -> bool:
    """Have a pending job wait in the database again, taken back out of RQ; False if it is pending no more."""
    rows = Job.objects.using(job._state.db).filter(pk=job.pk, status=JobStatusChoices.STATUS_PENDING)
    if not rows.filter(due__isnull=False).update(status=JobStatusChoices.STATUS_SCHEDULED):
        return False
    _withdraw_after_commit(job)
    job.status = JobStatusChoices.STATUS_SCHEDULED
    return True


def hold_back(job_id: str, using: str) -> bool:
    """Have a job wait in the database that was delivered although its queue is paused; False if that is not so.

    Recovery hands it over as soon as the queue goes on.
    """
    rows = Job.objects.using(using).filter(job_id=job_id, status=JobStatusChoices.STATUS_PENDING, due__isnull=False)
    rows = rows.filter(queue_name__in=PausedQueue.objects.using(using).values('name'))
    return bool(rows.update(status=JobStatusChoices.STATUS_SCHEDULED))


def reschedule(job: Job, moment: datetime, **values: Any) -> bool:
    """Have a waiting job run at `moment` instead; False if it waits no more, or waits for other jobs."""
    rows = Job.objects.using(job._state.db).filter(pk=job.pk).waiting().filter(due__isnull=False)
    values |= {'status': JobStatusChoices.STATUS_SCHEDULED, 'scheduled': moment, 'due': clock.to_ms(moment)}
    if not rows.update(**values):
        return False
    if job.status == JobStatusChoices.STATUS_PENDING:
        _withdraw_after_commit(job)
    for name, value in values.items():
        setattr(job, name, value)
    return True


def _withdraw_after_commit(job: Job) -> None:
    queue, delivered = job.queue_name, job.delivery_id
    transaction.on_commit(lambda: delivery.withdraw(queue, [delivered]), using=job._state.db, robust=True)


# Waiting -> running


def claim(job_id: str, worker: str, using: str) -> Job | None:
    """Take a delivered job that is due, for this worker; None if it is not there to be taken.

    At most one caller gets it, however often it was delivered.
    """
    job = claims.take(UUID(job_id), worker, using)
    if job is None:
        return None
    _hold(job)
    _announce_start(job)
    return job


def start(job: Job) -> None:
    """Claim a job for code that calls `handle()` itself: also one made by hand, or one that has ended before."""
    if job._fence is not None and not job.ended:
        return
    run = context.run_of(job)
    if run is not None and run.job is not job and run.job._fence is not None:
        job._fence = run.job._fence  # another object of the row that this process is running already
        return
    now = timezone.now()
    rows = Job.objects.using(job._state.db).filter(pk=job.pk)
    rows = rows.exclude(status=JobStatusChoices.STATUS_RUNNING, worker__isnull=False)
    if not rows.update(**claims.values(context.process_token(), now)):
        if not Job.objects.using(job._state.db).filter(pk=job.pk).exists():
            raise Job.DoesNotExist(f'Job {job.pk} ({job.name}) cannot be started: its row has been deleted.')
        raise AlreadyClaimed(f'Job {job.pk} ({job.name}) is being run by another worker.')
    claimed = Job.objects.using(job._state.db).values('started', 'attempt', 'worker').get(pk=job.pk)
    job.started, job.attempt, job.worker = claimed['started'], claimed['attempt'], claimed['worker']
    job.status, job.completed, job.execution_time, job.slot = JobStatusChoices.STATUS_RUNNING, None, None, None
    _hold(job)
    _announce_start(job)


def hold_new(job: Job) -> None:
    """Take note that a row was inserted as claimed by this process (`immediate`)."""
    _hold(job)
    _announce_start(job)


def _hold(job: Job) -> None:
    job._fence = {'status': JobStatusChoices.STATUS_RUNNING, 'worker': job.worker, 'attempt': job.attempt}
    job._claimed_interval = job.interval
    job._claimed_at = time.monotonic()


def release(job: Job, delay: float, *, after: str | None = None, crashed: bool = False, wait: bool = True) -> bool:
    """Give a claimed job back, to be delivered again `delay` seconds from now; one that is to be stopped ends instead.

    Args:
        job: The job, with the claim that it is released from.
        delay: Seconds.
        after: What this attempt ended with, which is kept; None if it is to be as if it had not been claimed.
        crashed: Whether its process died, which is counted by itself.
        wait: Whether to wait for a lock that somebody else holds on the job.

    Returns:
        Whether it was given back; False if it has ended as canceled by this call (see `job.ended`), or the claim is
        lost.

    Raises:
        OperationalError: `wait` is False, and somebody holds a lock.
    """
    using = job._state.db
    values: dict[str, Any] = {
        'status': JobStatusChoices.STATUS_SCHEDULED,
        'due': clock.now_ms() + int(delay * 1000),
        'started': None,
        'worker': None,
        'backend_id': None,
    }
    if after is None:
        values |= {'attempt': F('attempt') - 1, 'releases': F('releases') + 1}
    elif crashed:
        values |= {'crashes': F('crashes') + 1}
    else:
        values |= {'retries': F('retries') + 1, 'data': storable_data(job.data, 'job.data')}
    rows = Job.objects.using(using).filter(pk=job.pk, **(job._fence or {}))

    def write(**more: Any) -> bool:
        with transaction.atomic(using=using):
            if not wait:
                _try_lock(Job.objects.using(using).filter(pk=job.pk), using)
            # Who has asked for its end in this very moment means every attempt.
            if not rows.filter(stopping=None).update(**values, **more):
                return False
            if after is not None:
                JobAttempt.objects.using(using).create(
                    job_id=job.pk, number=job.attempt, started=job.started, error=storable_text(after), crashed=crashed
                )
        return True

    try:
        released = write(slot=F('schedule_id'))
    except IntegrityError:
        # The next occurrence was arranged while this one ran, and has the place of the waiting one.
        released = write()
    if not released and rows.filter(stopping__isnull=False).exists():
        end(job, JobStatusChoices.STATUS_CANCELED, STOPPED, wait=wait)
    return released


# -> ended


def cancel(job: Job, error: str | None = None) -> bool:
    """End a job that waits as canceled, with a reason if there is one; False if it waits no more."""
    job.refresh_from_db(fields=('status', 'deliveries', 'queue_name', 'schedule_id', 'interval', 'awaited'))
    if job.status not in JobStatusChoices.WAITING_STATE_CHOICES:
        return False
    fence, job._fence = job._fence, {'status__in': JobStatusChoices.WAITING_STATE_CHOICES}
    with transaction.atomic(using=job._state.db):
        if not end(job, JobStatusChoices.STATUS_CANCELED, error):
            job._fence, job._lost = fence, False
            return False
        if job.deliveries:
            _withdraw_after_commit(job)
    return True


def request_stop(job: Job) -> bool:
    """Ask for the end of a running job, or cancel one that waits; False if there was nothing to ask for."""
    using = job._state.db or database()
    running = Job.objects.using(using).running().filter(pk=job.pk)
    for _ in range(5):  # it may be claimed, or given back, in this very moment
        if mark_stopping(running):
            break
        if running.exclude(stopping=None).exists():
            return False
        if cancel(job):
            return True
        if job.status in JobStatusChoices.TERMINAL_STATE_CHOICES:
            return False
    else:
        return False
    job.refresh_from_db(using, fields=('status', 'deliveries', 'queue_name', 'stopping'))
    queue, delivered = job.queue_name, job.delivery_id
    transaction.on_commit(lambda: delivery.stop(queue, delivered), using=using, robust=True)
    return True


def mark_stopping(running: Any) -> bool:
    """Note on the row of a running job that its end is asked for: however it dies from now on, it was stopped."""
    return bool(running.filter(stopping=None).update(stopping=timezone.now()))


def end(job: Job, status: str, error: str | None = None, *, wait: bool = True) -> bool:
    """End the job in a terminal status, with its successor if it is periodic, in one transaction.

    Whoever holds the claim ends the job. One who merely loaded the row takes it over, unless it has ended: the
    first end stands.

    Args:
        job: The job.
        status: A terminal one.
        error: What went wrong; None leaves what the job has.
        wait: Whether to wait for locks that others hold on the job or its schedule.

    Returns:
        Whether this call was the one that ended it.

    Raises:
        OperationalError: `wait` is False, and somebody holds a lock.
    """
    if run := context.run_of(job):
        if run.before_end() and status == JobStatusChoices.STATUS_COMPLETED:
            status, error = JobStatusChoices.STATUS_ERRORED, repr(TransactionManagementError(GIVEN_UP))
        if job._fence is None:
            job._fence = run.job._fence
    reopen(job)
    if job._lost or (job._fence is not None and job.ended):
        return False  # this object has ended it
    using = job._state.db or database()
    before = {'_fence': job._fence, 'status': job.status, 'schedule_id': job.schedule_id}
    fence = job._fence or {'status__in': JobStatusChoices.ENQUEUED_STATE_CHOICES}
    status, values = _outcome(job, status, error)
    periodic = job.schedule_id is not None or job.interval is not None

    def write() -> bool:
        if not periodic and wait:  # one statement, which needs no transaction of its own
            return finish(None)
        with transaction.atomic(using=using, savepoint=False):
            schedule = _lock(job, using, wait) if periodic else None
            if not wait:
                _try_lock(Job.objects.using(using).filter(pk=job.pk), using)
            return finish(schedule)

    def finish(schedule: Schedule | None) -> bool:
        if not _write_end(using, values, {'id': job.pk, **fence}):
            return False
        _reflect(job, values)
        if schedule is not None and job.attempt:
            Schedule.objects.using(using).filter(pk=schedule.pk).update(runs=F('runs') + 1)
        if periodic:
            make_successor(job, schedule)
        job._before_end = before
        transaction.on_commit(job._conclude, using=using, robust=True)
        return True

    if run.persist(write) if run else write():
        return True
    _explain_lost(job, status, using)
    return False


def reopen(job: Job) -> bool:
    """Let this object hold its claim again, if the end that it has written was rolled back since.

    `handle()` of a plugin may end the job within a transaction, which can fail afterwards.
    """
    if job._before_end is None:
        return False
    waiting = connections[job._state.db or database()].run_on_commit
    if any(entry[1] == job._conclude for entry in waiting):
        return False  # its transaction is still open
    for name, value in job._before_end.items():
        setattr(job, name, value)
    job._before_end = None
    return True


def _outcome(job: Job, status: str, error: str | None) -> tuple[str, dict[str, Any]]:
    """What the terminal UPDATE writes; what cannot be stored makes the job errored instead of preventing its end."""
    problems = []
    now = timezone.now()
    values: dict[str, Any] = {}
    try:
        values['data'] = storable_data(job.data, 'job.data')
    except (TypeError, ValueError) as problem:
        problems.append(str(problem))
    try:
        schedules.check_interval(job.interval)
        values['interval'] = job.interval
    except ValueError as problem:
        problems.append(f'job.{problem}')
        job.interval = job._claimed_interval
    if problems:
        status = JobStatusChoices.STATUS_ERRORED
        error = '\n'.join(filter(None, (error, *problems)))
    if job._claimed_at is not None:
        values['execution_time'] = timedelta(seconds=time.monotonic() - job._claimed_at)
    elif job.started is not None:
        values['execution_time'] = max(now - job.started, timedelta())
    values |= {
        'status': status,
        'completed': now,
        'error': storable_text(str(error if error else job.error or '')),
        'worker': None,
        'backend_id': None,
        'slot': None,
    }
    return status, values


def _write_end(using: str, values: dict[str, Any], fence: dict[str, Any]) -> int:
    """The terminal UPDATE; data that only this database refuses (MariaDB's JSON has 32 levels) makes it errored."""
    connection = connections[using]
    guarded = connection.vendor == 'mysql' and connection.in_atomic_block and values.get('data') is not None
    try:
        with transaction.atomic(using=using) if guarded else nullcontext():
            return statements.update(using, values, fence)
    except (DataError, IntegrityError) as problem:
        if values.pop('data', None) is None:
            raise
        error = f'{values["error"]}\njob.data cannot be stored: {problem}'.strip()
        values |= {'status': JobStatusChoices.STATUS_ERRORED, 'error': storable_text(error)}
        return statements.update(using, values, fence)


def suspend(job: Job, reason: str) -> None:
    """Say on the job's schedule, if it has one, why nothing follows."""
    if job.schedule_id is not None:
        Schedule.objects.using(job._state.db).filter(pk=job.schedule_id).update(suspended=reason)


def _reflect(job: Job, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if name != 'data':  # the object keeps what the user's code put there
            setattr(job, name, value)
    job._fence = {'status': job.status, 'attempt': job.attempt, 'completed': job.completed}


def _lock(job: Job, using: str, wait: bool) -> Schedule | None:
    """The job's schedule, locked; None if it has been ended, or the job has none."""
    if job.schedule_id is None:
        return None
    schedules = Schedule.objects.using(using).filter(pk=job.schedule_id)
    if not wait:
        _try_lock(schedules, using)
    return schedules.select_for_update().first()


def _try_lock(rows: Any, using: str) -> None:
    # SQLite has no row locks; its one lock is waited for with a time limit.
    if connections[using].features.has_select_for_update_nowait:
        rows.select_for_update(nowait=True).values_list('pk').first()


def _explain_lost(job: Job, status: str, using: str) -> None:
    found = Job.objects.using(using).filter(pk=job.pk).values_list('status', flat=True).first()
    if found is None:
        reason = 'its row has been deleted'
    elif job._fence is not None and found == job._fence.get('status') == JobStatusChoices.STATUS_RUNNING:
        reason = 'another worker has claimed it since'
    else:
        reason = f'it is {found} already'
    job._lost = job._fence is not None and not job.ended
    log = logger.warning if job._lost else logger.info
    log('Job %s (%s): the end as %s was not recorded: %s.', job.pk, job.name, status, reason)


# Afterwards


def _announce_start(job: Job) -> None:
    transaction.on_commit(lambda: _send(job_start, job), using=job._state.db, robust=True)


def conclude(job: Job) -> None:
    """What follows when the end of a job is committed."""
    job._before_end = None
    if job.awaited:
        try:
            release_dependents(job)
        except Exception:  # recovery looks at them again
            logger.exception('Job %s (%s): what depends on it could not be released yet.', job.pk, job.name)
    _send(job_end, job)
    notifications.notify(job)


def _send(signal: Any, job: Job) -> None:
    name = 'job_start' if signal is job_start else 'job_end'
    if job.pk is None:  # run and deleted in one transaction; an object without a key can be nobody's sender
        return
    for receiver, response in signal.send_robust(sender=job):
        if isinstance(response, Exception):
            logger.error('Job %s (%s): the %s receiver %r raised.', job.pk, job.name, name, receiver, exc_info=response)

"""The commands about jobs."""

import json
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from ..choices import JobStatusChoices
from ..exceptions import ArgumentsRefused, InstanceGone, RunnerNotFound
from ..models import Job, JobLogEntry, Worker, database
from ..monitoring.stats import progress_of
from ..monitoring.waiting import reason
from . import asking, follow, lookup, shapes, tables, times
from .exits import DONE, INTERRUPTED, UNDONE, wrong
from .screen import Cell, Screen

#: Lines of the log that `show` shows.
_TAIL = 10


def list_jobs(screen: Screen, options: Namespace) -> int:
    """`jobs list`."""
    rows = Job.objects.using(database()).select_related('object_type').defer('arguments', 'data')
    if options.status:
        rows = rows.filter(status__in=options.status)
    if options.runner:
        rows = rows.filter(runner=lookup.runner_path(options.runner))
    if options.queue:
        rows = rows.filter(queue_name=lookup.queue(options.queue))
    if options.user:
        rows = rows.filter(user_id=lookup.user(options.user).pk)
    if options.instance:
        object_type, object_id = lookup.instance_type(options.instance)
        rows = rows.filter(object_type=object_type, object_id=object_id)
    if options.since:
        rows = rows.filter(created__gte=lookup.since(options.since))
    found = list(rows.order_by('-created', '-pk')[: options.limit])
    users, progress = shapes.usernames(found), progress_of(found)
    if options.json:
        screen.json([shapes.job(row, users.get(row.user_id), progress.get(row.pk)) for row in found])
    else:
        screen.table(tables.jobs(found, users, progress), 'No jobs.')
    return DONE


def show(screen: Screen, options: Namespace) -> int:
    """`jobs show`."""
    job = lookup.job(options.id)
    using = database()
    worker = Worker.objects.using(using).filter(token=job.worker).first() if job.worker else None
    attempts = list(job.attempts.using(using).all())
    if options.json:
        screen.json(shapes.job_in_full(job, worker, attempts))
        return DONE
    screen.fields(f'Job {job.pk}: {job.name}', _fields(job, worker))
    if attempts:
        screen.heading('Attempts before')
        screen.table(tables.attempts(attempts), '')
    log = JobLogEntry.objects.using(using).filter(job_id=job.pk).order_by('-pk')
    if lines := list(log[:_TAIL]):
        screen.heading('Log' if len(lines) < _TAIL else f'Log, its last {_TAIL} lines (all: jobs log {job.pk})')
        screen.log(reversed(lines))
    return DONE


def _fields(job: Job, worker: Worker | None) -> list[tuple[str, Cell]]:
    told = job.progress
    left = f', {times.span(told.remaining, 1)} left' if told and told.remaining and not job.ended else ''
    why = reason(job)
    about = shapes.instance(job)
    given = [
        ('status', Cell(tables.status(job).text + (f': {why}' if why else ''), job.status)),
        ('progress', Cell(f'{told}{left}' if told else '')),
        ('worker', Cell(f'process {worker.pid} on {worker.host}' if worker else '')),
        ('attempt', Cell(str(job.attempt) if job.attempt > 1 else '')),
        ('runner', Cell(job.runner)),
        ('instance', Cell(f'{about} ({job.object})' if about and job.object is not None else about or '')),
        ('queue', Cell(job.queue_name)),
        ('user', Cell(shapes.usernames([job]).get(job.user_id, ''))),
        *((name, _moment(getattr(job, name))) for name in ('created', 'scheduled', 'started', 'completed')),
        ('took', Cell(times.span(job.execution_time) if job.execution_time is not None else '')),
        ('time limit', Cell(f'{job.job_timeout} s' if job.job_timeout is not None else '')),
        ('recurs', Cell(f'{job.schedule.recurrence} (schedule {job.schedule_id})' if job.schedule else '')),
        ('retry of', Cell(f'job {job.retry_of_id}' if job.retry_of_id else '')),
        ('job_id', Cell(str(job.job_id))),
        ('arguments', Cell(job.arguments_shown)),
        ('data', Cell(json.dumps(job.data, indent=2, ensure_ascii=False) if job.data is not None else '')),
        ('error', Cell(job.error, job.status if job.ended else '')),
    ]
    return [(name, cell) for name, cell in given if cell.text]


def _moment(moment: Any) -> Cell:
    return Cell(f'{times.local(moment)} ({times.relative(moment)})' if moment is not None else '')


def log(screen: Screen, options: Namespace) -> int:
    """`jobs log`."""
    job = lookup.job(options.id)
    shown = _JSONLog(screen) if options.json else screen
    try:
        if options.follow:
            follow.until_end(shown, job, options.level)
        else:
            follow.Follower(shown, job, options.level).show_lines()
    except KeyboardInterrupt:
        return INTERRUPTED
    if not options.json and not JobLogEntry.objects.using(database()).filter(job_id=job.pk).exists():
        screen.notice(f'Job {job.pk} ({job.name}) has no log lines.')
    return DONE


class _JSONLog(Screen):
    """A log as one document a line."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen.out, screen.err)

    def log(self, lines: Any) -> None:
        for line in lines:
            self.json(shapes.line(line), indent=None)


# Steering


def cancel(screen: Screen, options: Namespace) -> int:
    """`jobs cancel`."""
    return _steer(screen, options, 'Cancel', _cancel)


def stop(screen: Screen, options: Namespace) -> int:
    """`jobs stop`."""
    return _steer(screen, options, 'Stop', _stop)


def _steer(screen: Screen, options: Namespace, verb: str, act: Callable[[Job], tuple[bool, str]]) -> int:
    found = lookup.jobs(options.ids)
    question = f'{verb} {"this job" if len(found) == 1 else f"these {len(found)} jobs"}?'
    about = [f'{job.pk} {job.name} ({tables.status(job).text})' for job in found]
    refused = asking.confirmed(screen, options.answers, question, about, yes=options.yes)
    if refused is not None:
        return refused
    code = DONE
    for job in found:
        try:
            done, said = act(job)
        except Job.DoesNotExist:
            done, said = False, 'it has been deleted meanwhile'
        text = f'Job {job.pk} ({job.name}): {said}.'
        if done:
            screen.line(text)
        else:
            screen.notice(text)
            code = UNDONE
    return code


def _cancel(job: Job) -> tuple[bool, str]:
    if job.cancel():
        return True, 'canceled'
    job.refresh_from_db(fields=('status',))
    if job.status == JobStatusChoices.STATUS_RUNNING:
        return False, f'it runs, so it cannot be canceled; "jobs stop {job.pk}" ends it'
    return False, f'it has ended already, as {job.status}'


def _stop(job: Job) -> tuple[bool, str]:
    asked = job.stop()
    job.refresh_from_db(fields=('status', 'stopping'))
    if job.status == JobStatusChoices.STATUS_RUNNING:
        return True, 'told to end' if asked else f'told to end {times.relative(job.stopping)} already'
    if asked:
        return True, 'canceled' if job.ended else 'told to end'
    return False, f'it has ended already, as {job.status}'


def retry(screen: Screen, options: Namespace) -> int:
    """`jobs retry`."""
    made, code = [], DONE
    for job in lookup.jobs(options.ids):
        try:
            new = job.retry()
        except (ValueError, TypeError, ArgumentsRefused, InstanceGone, RunnerNotFound) as error:
            screen.notice(f'Job {job.pk} ({job.name}) was not retried: {error}')
            code = UNDONE
            continue
        made.append(new)
        if not options.json:
            screen.line(f'Job {job.pk} ({job.name}): enqueued once more, as job {new.pk}.')
    if options.json:
        users = shapes.usernames(made)
        screen.json([shapes.job(new, users.get(new.user_id), None) for new in made])
    return code


# Running


def run(screen: Screen, options: Namespace) -> int:
    """`jobs run`."""
    runner = lookup.runner(options.runner)
    given: dict[str, Any] = lookup.arguments(options.arg)
    if options.instance:
        given['instance'] = lookup.instance(options.instance)
    if options.queue:
        given['queue_name'] = lookup.queue(options.queue)
    if options.user:
        given['user'] = lookup.user(options.user)
    try:
        job = runner.enqueue(**given)
    except (ValueError, TypeError) as error:
        raise wrong(str(error)) from error
    if not options.json:
        screen.line(f'Job {job.pk} ({job.name}) is in the queue {job.queue_name}.')
    if options.wait:
        try:
            follow.until_end(_Silent(screen) if options.json else screen, job)
        except KeyboardInterrupt:
            screen.notice(
                f'Job {job.pk} ({job.name}) goes on without being watched. "jobs log {job.pk} --follow" watches it, '
                f'"jobs stop {job.pk}" ends it.'
            )
            return INTERRUPTED
    if options.json:
        job = lookup.job(str(job.pk))
        screen.json(shapes.job(job, shapes.usernames([job]).get(job.user_id), job.progress))
    elif options.wait:
        screen.line(_outcome(job), job.status)
    return UNDONE if options.wait and job.status != JobStatusChoices.STATUS_COMPLETED else DONE


class _Silent(Screen):
    """Shows nothing while a job is waited for."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen.out, screen.err)

    def log(self, lines: Any) -> None:
        pass


def _outcome(job: Job) -> str:
    took = f' in {times.span(job.execution_time)}' if job.execution_time is not None else ''
    error = f': {job.error}' if job.error else ''
    return f'Job {job.pk} ({job.name}) {"was " if job.status == "canceled" else ""}{job.status}{took}{error}'

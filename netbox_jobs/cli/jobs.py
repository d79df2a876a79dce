"""The commands about jobs."""

import json
from argparse import Namespace
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ..choices import JobStatusChoices
from ..core import errors, formatting, reasons
from ..exceptions import ArgumentsRefused, InstanceGone, RunnerNotFound
from ..models import Job, JobLogEntry, Worker, database
from ..monitoring import related, waiting
from . import confirm, documents, follow, lookup, tables
from . import errors as errors_cli
from .exits import FAILURE, INTERRUPTED, SUCCESS, usage_error
from .screen import Cell, Screen, progress_text

#: How many lines of the log `show` has.
_LOG_LINES = 10
#: And how many steps.
_STEPS = 500


def show(screen: Screen, options: Namespace) -> int:
    """`jobs show`."""
    job = lookup.job(options.id)
    using = database()
    worker = Worker.objects.using(using).filter(token=job.worker).first() if job.worker else None
    attempts = list(job.attempts.using(using).all())
    steps = list(job.steps.using(using).defer('result')[:_STEPS])
    if options.json:
        screen.json(documents.job_details(job, worker, attempts, steps))
        return SUCCESS
    screen.fields(f'Job {job.pk}: {job.name}', _fields(job, worker))
    if attempts:
        screen.heading('Earlier attempts')
        screen.table(tables.attempts(attempts), '')
    if steps:
        screen.heading('Steps')
        screen.table(tables.steps(steps), '')
    log = JobLogEntry.objects.using(using).filter(job_id=job.pk).order_by('-pk')
    if lines := list(log[:_LOG_LINES]):
        more = len(lines) == _LOG_LINES
        screen.heading(f'Log, last {_LOG_LINES} lines (all lines: jobs log {job.pk})' if more else 'Log')
        screen.log(reversed(lines))
    return SUCCESS


def _fields(job: Job, worker: Worker | None) -> list[tuple[str, Cell]]:
    progress = related.progress_of([job]).get(job.pk)
    wait = waiting.reason(job, in_full=True)
    name = documents.instance(job)
    schedule = job.schedule
    recurs = formatting.recurrence(schedule.interval, schedule.cron, schedule.time_zone) if schedule else ''
    given = [
        ('status', Cell(tables.status(job).text + (f': {reasons.in_words(wait)}' if wait else ''), job.status)),
        ('progress', Cell(progress_text(progress) if progress else '')),
        ('worker', Cell(f'process {worker.pid} on {worker.host}' if worker else job.ran_on)),
        ('attempt', Cell(str(job.attempt) if job.attempt > 1 else '')),
        ('runner', Cell(job.runner)),
        ('instance', Cell(f'{name} ({job.object})' if name and job.object is not None else name or '')),
        ('tenant', Cell(job.tenant)),
        ('context', Cell(json.dumps(job.context, ensure_ascii=False) if job.context else '')),
        ('queue', Cell(job.queue_name)),
        ('user', Cell(documents.usernames([job]).get(job.user_id, ''))),
        *((name, _moment(getattr(job, name))) for name in ('created', 'scheduled', 'started', 'completed')),
        ('took', Cell(formatting.duration(job.execution_time))),
        ('time limit', Cell(_time_limit(job.job_timeout))),
        ('recurs', Cell(f'{recurs} (schedule {job.schedule_id})' if recurs else '')),
        ('workflow', Cell(f'{job.workflow_id} (jobs workflow {job.workflow_id})' if job.workflow_id else '')),
        ('retry of', Cell(f'job {job.retry_of_id}' if job.retry_of_id else '')),
        ('job_id', Cell(str(job.job_id))),
        ('arguments', Cell(job.arguments_shown)),
        ('data', Cell(json.dumps(job.data, indent=2, ensure_ascii=False) if job.data is not None else '')),
        ('error', Cell(errors.in_words(job.error), job.status if job.ended else '')),
    ]
    return [(name, cell) for name, cell in given if cell.text]


def _moment(moment: datetime | None) -> Cell:
    return Cell(f'{formatting.exact_moment(moment)} ({formatting.relative(moment)})' if moment is not None else '')


def _time_limit(seconds: int | None) -> str:
    return '' if seconds is None else 'none' if seconds < 0 else formatting.duration(seconds)


def log(screen: Screen, options: Namespace) -> int:
    """`jobs log`."""
    job = lookup.job(options.id)
    output = _JSONLog(screen) if options.json else screen
    try:
        if options.follow:
            follow.until_end(output, job, options.level)
        else:
            follow.Follower(output, job, options.level).show_lines()
    except KeyboardInterrupt:
        return INTERRUPTED
    if not options.json and not JobLogEntry.objects.using(database()).filter(job_id=job.pk).exists():
        screen.notice(f'{_named(job)} has no log lines.')
    return SUCCESS


class _JSONLog(Screen):
    """A log with one JSON document in each line."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen.out, screen.err)

    def log(self, lines: Any) -> None:
        for line in lines:
            self.json(documents.log_line(line), indent=None)


# Actions


def cancel(screen: Screen, options: Namespace) -> int:
    """`jobs cancel`."""
    if _by_filter(options):
        return errors_cli.act(screen, options, 'cancel')
    return _act(screen, options, 'Cancel', _cancel)


def stop(screen: Screen, options: Namespace) -> int:
    """`jobs stop`."""
    return _act(screen, options, 'Stop', _stop)


def _by_filter(options: Namespace) -> bool:
    if bool(options.ids) == bool(options.filter):
        raise usage_error('Name either the IDs of jobs, or --filter.')
    return bool(options.filter)


def _act(screen: Screen, options: Namespace, action: str, perform: Callable[[Job], tuple[bool, str]]) -> int:
    found = lookup.jobs(options.ids)
    question, listed = f'{action} job {found[0].pk} "{found[0].name}"?', []
    if len(found) > 1:
        question = f'{action} {len(found)} jobs?'
        listed = [f'{job.pk} "{job.name}", {tables.status(job).text}' for job in found]
    refused = confirm.ask(screen, options.answers, question, listed, yes=options.yes)
    if refused is not None:
        return refused
    code = SUCCESS
    for job in found:
        try:
            done, result = perform(job)
        except Job.DoesNotExist:
            done, result = False, 'it has been deleted'
        text = f'{_named(job)}: {result}.'
        screen.result(job.pk, text, done=done)
        code = code if done else FAILURE
    return code


def _cancel(job: Job) -> tuple[bool, str]:
    if job.cancel():
        return True, 'canceled'
    job.refresh_from_db(fields=('status',))
    if job.status == JobStatusChoices.STATUS_RUNNING:
        return False, f'it is running and cannot be canceled; stop it with "jobs stop {job.pk}"'
    return False, _has_ended(job)


def _stop(job: Job) -> tuple[bool, str]:
    asked = job.stop()
    job.refresh_from_db(fields=('status', 'stopping'))
    if job.status == JobStatusChoices.STATUS_RUNNING:
        return True, 'stopping' if asked else f'already stopping since {formatting.moment(job.stopping)}'
    if asked:
        return True, 'canceled' if job.ended else 'stopping'
    return False, _has_ended(job)


def _has_ended(job: Job) -> str:
    return f'it has already ended as {tables.status(job).text.lower()}'


def retry(screen: Screen, options: Namespace) -> int:
    """`jobs retry`."""
    if _by_filter(options):
        return errors_cli.act(screen, options, 'retry')
    made, code = [], SUCCESS
    for job in lookup.jobs(options.ids):
        try:
            new = job.retry()
        except (ValueError, TypeError, ArgumentsRefused, InstanceGone, RunnerNotFound) as error:
            screen.notice(f'{_named(job)} was not retried: {error}')
            code = FAILURE
            continue
        made.append(new)
        if not options.json:
            screen.line(f'{_named(job)}: enqueued again as job {new.pk}.')
    if options.json:
        users = documents.usernames(made)
        screen.json([documents.job(new, users.get(new.user_id), None) for new in made])
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
    if options.priority is not None:
        given['priority'] = options.priority
    if options.user:
        given['user'] = lookup.user(options.user)
    try:
        job = runner.enqueue(**given)
    except (ValueError, TypeError) as error:
        raise usage_error(str(error)) from error
    if not options.json:
        screen.line(f'{_named(job)} is enqueued in the queue {job.queue_name}.')
    if options.wait:
        try:
            follow.until_end(_Silent(screen) if options.json else screen, job)
        except KeyboardInterrupt:
            screen.notice(
                f'{_named(job)} continues. Follow it with "jobs log {job.pk} --follow", or stop it with '
                f'"jobs stop {job.pk}".'
            )
            return INTERRUPTED
    if options.json:
        job = lookup.job(str(job.pk))
        screen.json(
            documents.job(job, documents.usernames([job]).get(job.user_id), related.progress_of([job]).get(job.pk))
        )
    elif options.wait:
        screen.line(_outcome(job), job.status)
    return FAILURE if options.wait and job.status != JobStatusChoices.STATUS_COMPLETED else SUCCESS


class _Silent(Screen):
    """No output while the command waits for a job."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen.out, screen.err)

    def log(self, lines: Any) -> None:
        pass


def _outcome(job: Job) -> str:
    took = f' in {formatting.duration(job.execution_time)}' if job.execution_time is not None else ''
    error = f': {errors.in_words(job.error)}' if job.error else ''
    was = 'was ' if job.status == JobStatusChoices.STATUS_CANCELED else ''
    return f'{_named(job)} {was}{tables.status(job).text.lower()}{took}{error}'


def _named(job: Job) -> str:
    return f'Job {job.pk} ({job.name})'

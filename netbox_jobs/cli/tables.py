"""The tables of the command line."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ..choices import JobStatusChoices
from ..core import errors, formatting
from ..models import Job, JobAttempt, JobStep, Progress, Schedule
from ..monitoring.errors import ErrorGroup
from ..monitoring.queues import QueueState
from ..monitoring.schedules import ScheduleState
from ..monitoring.workers import RunningJob, WorkerState
from . import documents
from .screen import Cell, Column, Table


def _moment(moment: datetime | None) -> Cell:
    return Cell(formatting.full_moment(moment) or '-', brief=formatting.moment(moment))


def instance(row: Job | Schedule) -> Cell:
    """The object of a job or a schedule: its name on a terminal, if it was attached; else `app.model:pk`."""
    found = getattr(row, 'related_object', None)
    return Cell(documents.instance(row) or '-', brief=formatting.first_line(found, 60) if found is not None else '')


def status(job: Job) -> Cell:
    """A job's status."""
    return Cell(formatting.status(job.status, stopping=job.stopping is not None), job.status)


def progress_cell(progress: Progress | None) -> Cell:
    """The progress of a run: a percentage, or how much is done."""
    if progress is None:
        return Cell('-')
    if progress.percent is None:
        return Cell(formatting.amount(progress.current, None))
    return Cell(formatting.percent(progress.percent))


_ID = Column('id', right=True)
_NAMES = (Column('name', flexible=True), Column('instance', flexible=True), Column('queue', flexible=True, spare=2))


def _names(job: Job, style: str = '') -> list[Cell]:
    return [Cell(job.name, style), instance(job), Cell(job.queue_name)]


def running(rows: Iterable[RunningJob]) -> Table:
    """Jobs that run, with their progress."""
    table = Table((_ID, *_NAMES, Column('progress', right=True), Column('for', right=True)))
    for each in rows:
        age = Cell('stopping' if each.job.stopping else formatting.age(each.job.started) or '-')
        table.rows.append([Cell(str(each.job.pk)), *_names(each.job, 'running'), progress_cell(each.progress), age])
    return table


def _when(job: Job) -> Cell:
    """When a job ended, else when it started, else when it is due: a terminal says so."""
    cell = _moment(job.completed or job.started or job.scheduled or job.created)
    due = job.scheduled is not None and job.completed is None and job.started is None
    return Cell(cell.text, brief=f'due {cell.brief}') if due else cell


def jobs(rows: Iterable[Job], users: dict[Any, str], progress: dict[int, Progress]) -> Table:
    """Jobs. The column `when` has the time when a job ended, else when it started, else when it is due."""
    rows = list(rows)
    tenants = any(row.tenant for row in rows)
    table = Table(
        (
            _ID,
            Column('status'),
            *_NAMES,
            *((Column('tenant', flexible=True),) if tenants else ()),
            Column('user', flexible=True, extra=True),
            Column('when'),
            Column('took', right=True, spare=1),
            Column('progress', right=True, extra=True),
            Column('job_id', extra=True),
        )
    )
    for row in rows:
        done = progress_cell(progress.get(row.pk))
        took = Cell(formatting.duration(row.execution_time) or '-')
        if done.text != '-' and row.status == JobStatusChoices.STATUS_RUNNING:
            took = Cell('-', 'running', brief=done.text)
        table.rows.append(
            [
                Cell(str(row.pk)),
                status(row),
                *_names(row),
                *((Cell(row.tenant or '-'),) if tenants else ()),
                Cell(users.get(row.user_id, '-')),
                _when(row),
                took,
                done,
                Cell(str(row.job_id)),
            ]
        )
    return table


def error_groups(rows: Iterable[ErrorGroup]) -> Table:
    """Errors by their cause."""
    table = Table(
        (
            Column('jobs', right=True),
            Column('error', flexible=True),
            Column('runner', flexible=True, spare=1),
            Column('first', extra=True),
            Column('latest'),
            Column('queues', flexible=True, extra=True),
            Column('workers', flexible=True, extra=True),
            Column('fingerprint'),
        )
    )
    for row in rows:
        state = ' (muted)' if row.muted else ' (new)' if row.new else ''
        table.rows.append(
            [
                Cell(formatting.number(row.count)),
                Cell(row.message + state, 'dim' if row.muted else 'errored', brief=f'{state} {row.message}'.strip()),
                Cell(row.runner, brief=formatting.class_name(row.runner)),
                _moment(row.first),
                Cell(formatting.full_moment(row.last), brief=formatting.relative(row.last)),
                Cell(', '.join(row.queues)),
                Cell(', '.join(row.main_workers) + (f' +{row.other_workers}' if row.other_workers else '') or '-'),
                Cell(row.fingerprint),
            ]
        )
    return table


def queues(rows: Iterable[QueueState], limit: int) -> Table:
    """Queues, with numbers of jobs up to a limit."""
    table = Table(
        (
            Column('queue', flexible=True),
            Column('waiting', right=True),
            Column('oldest', right=True),
            Column('scheduled', right=True, spare=3),
            Column('running', right=True, spare=1),
            Column('failed', right=True),
            Column('workers', right=True, spare=2),
            Column('state'),
        )
    )
    styles = {'paused': 'paused', 'no_worker': 'errored'}
    for row in rows:
        paused = f'{formatting.queue_state("paused")} {formatting.age(row.paused, 1)}' if row.paused else ''
        table.rows.append(
            [
                Cell(row.name),
                Cell(formatting.capped(row.waiting, limit), 'pending' if row.waiting else 'dim'),
                Cell(formatting.duration(row.oldest_age) or '-', brief=formatting.duration(row.oldest_age, 1)),
                Cell(formatting.capped(row.scheduled, limit), '' if row.scheduled else 'dim'),
                Cell(formatting.capped(row.running, limit), 'running' if row.running else 'dim'),
                Cell(formatting.number(row.failed), 'failed' if row.failed else 'dim'),
                Cell(formatting.number(row.workers), '' if row.workers else 'dim'),
                Cell(formatting.queue_state(row.state), styles.get(row.state, 'dim'), brief=paused),
            ]
        )
    return table


def workers(rows: Iterable[WorkerState]) -> Table:
    """Workers: a line for each job that one runs, or one line for an idle worker."""
    table = Table(
        (
            Column('worker', flexible=True, extra=True),
            Column('host', flexible=True),
            Column('pid', right=True),
            Column('queues', flexible=True, spare=2),
            Column('up', right=True, spare=3),
            Column('job', flexible=True),
            Column('progress', right=True, spare=1),
            Column('for', right=True),
        )
    )
    for row in rows:
        known = row.worker
        who = [
            Cell(known.name if known else '-'),
            Cell(known.host if known else 'no worker', '' if known else 'paused'),
            Cell(str(known.pid) if known else '-'),
            Cell(','.join(row.queues) or '-'),
            Cell(formatting.age(known.started) if known else '-'),
        ]
        for running in row.jobs:
            what = Cell(f'{running.job.pk} {running.job.name}', 'running')
            since = Cell(formatting.age(running.job.started) or '-')
            table.rows.append([*who, what, progress_cell(running.progress), since])
        if not row.jobs:
            table.rows.append([*who, Cell('Idle', 'dim'), Cell('-'), Cell('-')])
    return table


def schedules(rows: Iterable[ScheduleState]) -> Table:
    """Schedules, with the next run, and with the job that ended last."""
    table = Table(
        (
            Column('id', right=True),
            Column('name', flexible=True),
            Column('runner', flexible=True, extra=True),
            Column('instance', flexible=True, spare=1),
            Column('recurs', flexible=True),
            Column('next'),
            Column('last', spare=2),
            Column('ended', extra=True),
            Column('runs', right=True, spare=3),
            Column('state', extra=True),
        )
    )
    styles = {'late': 'errored', 'suspended': 'errored', 'paused': 'paused', 'running': 'running', 'active': 'dim'}
    for state in rows:
        row, last = state.schedule, state.last
        word, style = formatting.schedule_state(state.shown), styles[state.shown]
        brief = formatting.moment(state.next_run) or word
        ended = formatting.status(last.status) if last else '-'
        recurs = formatting.recurrence(row.interval, row.cron)
        ago = f'{ended} {formatting.relative(last.completed)}' if last else ''
        table.rows.append(
            [
                Cell(str(row.pk)),
                Cell(row.name),
                Cell(row.runner),
                instance(row),
                Cell(formatting.recurrence(row.interval, row.cron, row.time_zone), brief=recurs),
                Cell(
                    formatting.full_moment(state.next_run) or '-',
                    style if state.late is not None or not state.next_run else '',
                    brief,
                ),
                Cell(formatting.full_moment(last.completed), last.status, ago) if last else Cell('-'),
                Cell(ended),
                Cell(formatting.number(row.runs)),
                Cell(word, style),
            ]
        )
    return table


def attempts(rows: Iterable[JobAttempt]) -> Table:
    """The attempts before the latest one."""
    table = Table(
        (Column('attempt', right=True), Column('ended'), Column('took', right=True), Column('error', flexible=True))
    )
    for row in rows:
        table.rows.append(
            [
                Cell(str(row.number)),
                _moment(row.ended),
                Cell(formatting.duration(row.duration) or '-'),
                Cell(errors.in_words(row.error).strip().rpartition('\n')[2], 'errored' if row.crashed else ''),
            ]
        )
    return table


def steps(rows: Iterable[JobStep]) -> Table:
    """The steps of a job, with its sleeps and waits."""
    table = Table(
        (
            Column('step'),
            Column('completed'),
            Column('took', right=True),
            Column('attempt', right=True),
            Column('result', flexible=True),
        )
    )
    for row in rows:
        table.rows.append(
            [
                Cell(formatting.clean(row.title)),
                _moment(row.completed) if row.completed else Cell('not yet'),
                Cell(formatting.duration(row.duration) or '-'),
                Cell(str(row.attempt)),
                Cell('timed out' if row.timed_out else formatting.first_line(row.result_shown)),
            ]
        )
    return table

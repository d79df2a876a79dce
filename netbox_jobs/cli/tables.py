"""What each list shows."""

from collections.abc import Iterable
from typing import Any

from ..models import Job, JobAttempt, Progress, Schedule
from ..monitoring.stats import QueueStats, WorkerActivity
from . import shapes, times
from .screen import Cell, Column, Table


def _moment(moment: Any) -> Cell:
    return Cell(times.local(moment), brief=times.relative(moment))


def status(job: Job) -> Cell:
    """A job's status; that its end was asked for, too."""
    text = 'stopping' if job.stopping is not None and not job.ended else job.status
    return Cell(text, job.status)


def done(told: Progress | None) -> Cell:
    """How far a job is, in a word."""
    if told is None:
        return Cell('-')
    return Cell(f'{told.percent} %' if told.percent is not None else f'{told.current:,}')


def jobs(rows: Iterable[Job], users: dict[Any, str], progress: dict[int, Progress]) -> Table:
    """Jobs: when is when it ended, else when it began, else when it is due."""
    table = Table(
        (
            Column('id', right=True),
            Column('status'),
            Column('name', flexible=True),
            Column('instance', flexible=True),
            Column('queue', flexible=True),
            Column('user', flexible=True, extra=True),
            Column('when'),
            Column('took', right=True),
            Column('done', right=True, extra=True),
            Column('job_id', extra=True),
        )
    )
    for row in rows:
        when = row.completed or row.started or row.scheduled or row.created
        told = progress.get(row.pk)
        took = Cell(times.span(row.execution_time))
        if told is not None and row.status == 'running':
            took = Cell('-', 'running', brief=done(told).text)
        table.rows.append(
            [
                Cell(str(row.pk)),
                status(row),
                Cell(row.name),
                Cell(shapes.instance(row) or '-'),
                Cell(row.queue_name),
                Cell(users.get(row.user_id, '-')),
                _moment(when),
                took,
                done(told),
                Cell(str(row.job_id)),
            ]
        )
    return table


def queues(rows: Iterable[QueueStats]) -> Table:
    """Queues."""
    table = Table(
        (
            Column('queue', flexible=True),
            Column('waiting', right=True),
            Column('oldest', right=True),
            Column('scheduled', right=True),
            Column('running', right=True),
            Column('failed', right=True),
            Column('workers', right=True),
            Column('state'),
        )
    )
    for row in rows:
        state = Cell('-')
        if row.paused is not None:
            state = Cell('paused', 'paused', brief=f'paused {times.age(row.paused)}')
        elif row.waiting and not row.workers:
            state = Cell('no worker', 'errored')
        table.rows.append(
            [
                Cell(row.name),
                Cell(str(row.waiting), 'pending' if row.waiting else 'dim'),
                Cell(times.age(row.oldest)),
                Cell(str(row.scheduled), '' if row.scheduled else 'dim'),
                Cell(str(row.running), 'running' if row.running else 'dim'),
                Cell(str(row.failed), 'failed' if row.failed else 'dim'),
                Cell(str(row.workers), '' if row.workers else 'dim'),
                state,
            ]
        )
    return table


def workers(rows: Iterable[WorkerActivity]) -> Table:
    """Workers: a line for each job that one runs, or one line if it is idle."""
    table = Table(
        (
            Column('worker', flexible=True, extra=True),
            Column('host', flexible=True),
            Column('pid', right=True),
            Column('queues', flexible=True),
            Column('up', right=True),
            Column('job', flexible=True),
            Column('done', right=True),
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
            Cell(times.age(known.started) if known else '-'),
        ]
        for each in row.jobs:
            what = Cell(f'{each.job.pk} {each.job.name}', 'running')
            table.rows.append([*who, what, done(each.progress), Cell(times.age(each.job.started))])
        if not row.jobs:
            table.rows.append([*who, Cell('idle', 'dim'), Cell('-'), Cell('-')])
    return table


def schedules(rows: Iterable[Schedule], waiting: dict[int, Job], last: dict[int, Job]) -> Table:
    """Schedules, each with the job of it that waits, and the one that ended last."""
    table = Table(
        (
            Column('id', right=True),
            Column('name', flexible=True),
            Column('runner', flexible=True, extra=True),
            Column('instance', flexible=True),
            Column('recurs', flexible=True),
            Column('next'),
            Column('last'),
            Column('ended', extra=True),
            Column('runs', right=True),
            Column('state', extra=True),
        )
    )
    for row in rows:
        next_, before = waiting.get(row.pk), last.get(row.pk)
        moment = None if next_ is None or row.paused else next_.scheduled or next_.created
        state = Cell('suspended', 'errored') if row.suspended else Cell('paused', 'paused') if row.paused else Cell('-')
        table.rows.append(
            [
                Cell(str(row.pk)),
                Cell(row.name),
                Cell(row.runner),
                Cell(shapes.instance(row) or '-'),
                Cell(str(row.recurrence), brief=row.cron),
                Cell(times.local(moment), state.style, brief=times.relative(moment) if moment else state.text),
                Cell(
                    times.local(before.completed), before.status, f'{before.status} {times.relative(before.completed)}'
                )
                if before
                else Cell('-'),
                Cell(before.status) if before else Cell('-'),
                Cell(str(row.runs)),
                state,
            ]
        )
    return table


def attempts(rows: Iterable[JobAttempt]) -> Table:
    """The attempts before the latest."""
    table = Table(
        (Column('attempt', right=True), Column('ended'), Column('took', right=True), Column('error', flexible=True))
    )
    for row in rows:
        table.rows.append(
            [
                Cell(str(row.number)),
                _moment(row.ended),
                Cell(times.span(row.duration)),
                Cell(row.error.strip().rpartition('\n')[2], 'errored' if row.crashed else ''),
            ]
        )
    return table

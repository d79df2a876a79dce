"""`jobs stack`: what a running job is doing."""

import time
from argparse import Namespace

from django.template.defaultfilters import filesizeformat

from ..choices import JobStatusChoices
from ..core import formatting
from ..models import Job, JobStack, database
from ..monitoring import job_documents, open_transactions
from ..monitoring.open_transactions import OpenTransaction
from . import lookup
from .exits import FAILURE, INTERRUPTED, SUCCESS, failure
from .screen import Cell, Screen

#: Seconds between two looks for the answer.
LOOK = 0.3


def show(screen: Screen, options: Namespace) -> int:
    """`jobs stack`."""
    job = lookup.job(options.id)
    if JobStack.ask(job) is None:
        raise failure(f'Job {job.pk} ({job.name}) does not run, so it has no stack. "jobs why {job.pk}" says more.')
    try:
        found = _answer(job, options.wait)
    except KeyboardInterrupt:
        return INTERRUPTED
    if found is None:
        screen.notice(
            f'The process of job {job.pk} has not answered within {options.wait} s: the job has ended, its code keeps '
            'all other threads of the process waiting, or it is no worker process of netbox_jobs.'
        )
        return FAILURE
    job.refresh_from_db(fields=['backend_id', 'started'])
    opened = open_transactions.of_job(job)
    if options.json:
        screen.json(job_documents.stack(found, opened))
        return SUCCESS
    screen.fields(f'Job {job.pk}: {job.name}', _fields(job, found, opened))
    return SUCCESS


def _answer(job: Job, seconds: int) -> JobStack | None:
    """Wait for the answer, unless the job ends before."""
    until = time.monotonic() + seconds
    rows = JobStack.objects.using(database()).filter(pk=job.pk)
    running = Job.objects.using(database()).filter(pk=job.pk, status=JobStatusChoices.STATUS_RUNNING)
    while True:
        found = rows.exclude(taken=None).first()
        if found is not None or time.monotonic() > until or not running.exists():
            return found
        time.sleep(LOOK)


def _fields(job: Job, found: JobStack, opened: OpenTransaction | None) -> list[tuple[str, Cell]]:
    running = f' for {formatting.age(job.started)}' if job.started is not None else ''
    memory = '' if found.memory is None else filesizeformat(found.memory).replace('\xa0', ' ')
    return [
        ('status', Cell(f'{formatting.status(job.status)}{running}', job.status)),
        ('process', Cell(f'{found.pid} on {found.host}')),
        ('memory', Cell(memory or '-')),
        ('CPU', Cell('-' if found.cpu is None else f'{formatting.percent(found.cpu)} of a core')),
        ('transaction', Cell(_transaction(opened))),
        ('same line', Cell(f'in {found.same} of {found.samples} samples')),
        ('stack', Cell(found.stack.rstrip())),
    ]


def _transaction(opened: OpenTransaction | None) -> str:
    if opened is None:
        return 'none is open, as far as the database tells'
    since = (
        'a statement is running'
        if opened.active
        else f'its last statement ended {formatting.duration(opened.quiet)} ago'
    )
    return f'open for {formatting.duration(opened.age)}; {since}'

"""What must cost the same on a full table as on an empty one, each as a preparation and an act."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connections, transaction
from django.test import Client
from django.urls import reverse
from prometheus_client import CollectorRegistry, generate_latest

from netbox_jobs.admin import paginator
from netbox_jobs.broker import delivery
from netbox_jobs.contrib.metrics import JobsCollector
from netbox_jobs.lifecycle import claim
from netbox_jobs.maintenance import orphans, recovery, retention
from netbox_jobs.maintenance.observer import Observer
from netbox_jobs.models import Job, Progress, Schedule, Workflow, database
from netbox_jobs.monitoring import performance, queues, recent, searched, waiting, workers
from tests.app.jobs import Plain
from tests.app.models import Thing

from . import rows

TOKEN = uuid.uuid4().hex


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Operation:
    """Something that users and workers do."""

    name: str
    act: Callable[[Any], object]
    #: What is there before; its result is passed to `act`. It is not measured.
    prepare: Callable[[], Any] = _nothing
    #: How often it is done for one sample.
    times: int = 10
    #: How many rows one of its statements reads at the most, where that is bounded by itself; see `plans`.
    bound: int | None = None


def operations(batch: int) -> Iterator[Operation]:
    """All of them.

    Args:
        batch: How many jobs one round of retention deletes.
    """
    yield Operation('enqueue', lambda _: Plain.enqueue(whom='world'))
    yield Operation('enqueue, instance and user', lambda given: Plain.enqueue(instance=given[0], user=given[1]), _about)
    yield Operation('enqueue_once, new', lambda _: Plain.enqueue_once(interval=60), lambda: Plain.end_schedule())
    yield Operation('enqueue_once, known', lambda _: Plain.enqueue_once(interval=60), lambda: Plain.enqueue_once())
    yield Operation('enqueue_once, instance, new', lambda thing: Plain.enqueue_once(thing, interval=60), _unscheduled)
    yield Operation('enqueue_once, instance, known', lambda thing: Plain.enqueue_once(thing), _scheduled)
    yield Operation('claim', lambda job: claim.claim(str(job.job_id), TOKEN, database()), _delivered)
    yield Operation('terminate', lambda job: job.terminate(), lambda: _claimed())
    yield Operation('terminate with successor', lambda job: job.terminate(), lambda: _claimed(interval=60))
    yield Operation(
        'progress and log of a job', lambda job: (list(job.log_entries), _progress(job)), lambda: _claimed()
    )
    yield from _sweep()
    yield from _retention(batch)
    yield from _questions()
    yield from _pages()


def _sweep() -> Iterator[Operation]:
    yield Operation('sweep: deliver_due', lambda _: recovery.deliver_due(), times=5)
    yield Operation('sweep: redeliver_vanished', lambda _: recovery.redeliver_vanished(), times=2)
    yield Operation('sweep: settle_dependents', lambda _: recovery.settle_dependents(), times=2)
    yield Operation('sweep: look for signs of life', lambda _: Observer().look())
    yield Operation('sweep: own orphans', lambda _: orphans.end_own_orphans(TOKEN))


def _retention(batch: int) -> Iterator[Operation]:
    for name, lines in (('retention', False), ('retention, 10 log lines each', True)):
        yield Operation(
            f'{name}: {batch:,} jobs',
            lambda _: _expect(batch, retention.prune(limit=batch)),
            lambda lines=lines: rows.old(database(), batch, lines=lines),  # type: ignore[misc]
            times=1,
        )
    yield Operation('retention, nothing to do', lambda _: retention.prune(limit=batch))


def _questions() -> Iterator[Operation]:
    yield Operation('obj.jobs', lambda thing: list(thing.jobs.all()), _quiet)
    yield Operation('obj.get_latest_jobs()', lambda thing: thing.get_latest_jobs(), _quiet)
    yield Operation('obj.jobs, the newest 20', lambda thing: list(thing.jobs.all()[:20]), _quiet)
    yield Operation('obj.jobs, the newest 20, long ago', lambda thing: list(thing.jobs.all()[:20]), _rested)
    yield Operation('get_jobs(obj)', lambda thing: list(Plain.get_jobs(thing)[:20]), _quiet)
    yield Operation('get_jobs(), the newest 20', lambda _: list(Plain.get_jobs()[:20]))
    yield Operation('get_jobs(), those that wait', lambda _: list(Plain.get_jobs().waiting().order_by('due')[:20]))
    yield Operation('schedule.last_job', lambda found: found[0].last_job, _schedules)
    yield Operation('schedule.last_job, long ago', lambda found: found[1].last_job, _schedules)
    yield Operation('schedule.current_job()', lambda found: found[0].current_job(), _schedules)
    yield Operation('schedule.current_job(), long ago', lambda found: found[1].current_job(), _schedules)
    yield Operation('schedule.next_run', lambda found: found[0].next_run, _schedules)
    yield Operation('why a job waits', lambda job: waiting.reason(job), _delivered)
    yield Operation('why an occurrence waits', lambda job: waiting.reason(job), lambda: Plain.enqueue_once(interval=60))
    yield Operation('jobs workers', lambda _: workers.worker_states())
    yield Operation('jobs queues', lambda _: queues.queue_states(), times=2, bound=queues.COUNTED + 1)
    yield Operation('scrape of /metrics', lambda _: _scrape(), times=2, bound=recent.ADDED_UP + 1)


def _scrape() -> bytes:
    registry = CollectorRegistry()
    registry.register(JobsCollector())
    return generate_latest(registry)


#: How many rows one of a page's statements reads at the most: most count up to a limit,
_COUNTED = max(queues.COUNTED, paginator.LIMIT) + 1
#: one looks through the newest,
_SEARCHED = searched.COMPARED + 1
#: and one groups the errors of a day, which are 1,190 of a million jobs: by all that there ever were, it would be slow.
_ERRORS = 1_500
#: Pages by the name of their URL, their query, and that bound.
PAGES: tuple[tuple[str, str, int | None], ...] = (
    ('admin:netbox_jobs_job_changelist', '', _COUNTED),
    ('admin:netbox_jobs_job_changelist', 'status=running', _COUNTED),
    ('admin:netbox_jobs_job_changelist', 'status=errored', _COUNTED),
    ('admin:netbox_jobs_job_changelist', 'queue=default', _COUNTED),
    ('admin:netbox_jobs_job_changelist', 'when=24h', _COUNTED),
    ('admin:netbox_jobs_job_changelist', 'o=-7', _COUNTED),
    ('admin:netbox_jobs_job_changelist', 'q=Plain', _SEARCHED),
    ('admin:netbox_jobs_job_changelist', 'q=error:nowhere', _SEARCHED),
    ('admin:netbox_jobs_job_changelist', 'q=argument:nowhere', _SEARCHED),
    ('admin:netbox_jobs_job_live_list', '', _COUNTED),
    ('admin:netbox_jobs_schedule_changelist', '', None),
    ('admin:netbox_jobs_schedule_calendar', '', None),
    ('admin:netbox_jobs_worker_changelist', '', None),
    ('admin:netbox_jobs_job_overview', '', _COUNTED),
    ('admin:netbox_jobs_job_errors', '', _ERRORS),
    ('admin:netbox_jobs_job_errors', 'period=7d', 7 * _ERRORS),
    ('admin:netbox_jobs_job_performance', '', _COUNTED),
    ('admin:netbox_jobs_job_performance', 'period=7d', _COUNTED),
    ('admin:netbox_jobs_workflow_changelist', '', _COUNTED),
    ('admin:netbox_jobs_workflow_changelist', 'status__exact=failed', _COUNTED),
    ('admin:netbox_jobs_auditentry_changelist', '', _COUNTED),
    ('admin:netbox_jobs_auditentry_changelist', 'action__exact=cancel', _COUNTED),
    ('admin:netbox_jobs_queuelimit_changelist', '', None),
)
#: Pages of one row, by what it is, the name of their URL, and the row.
ROW_PAGES: tuple[tuple[str, str, Callable[[], Any]], ...] = (
    ('of a completed job', 'job_change', lambda: Job.objects.filter(status='completed').latest('pk')),
    ('of a running job', 'job_change', lambda: Job.objects.filter(status='running').latest('pk')),
    ('of a waiting job', 'job_change', lambda: Job.objects.filter(status='pending', due__isnull=False).latest('pk')),
    ('of an errored job', 'job_change', lambda: Job.objects.filter(status='errored').latest('pk')),
    ('of a schedule', 'schedule_change', lambda: _schedules()[0]),
    ('of a workflow', 'workflow_change', lambda: Workflow.objects.latest('pk')),
)


def _pages() -> Iterator[Operation]:
    for name, query, bound in PAGES:
        url = reverse(name)
        shown = name.removeprefix('admin:netbox_jobs_') + (f'?{query}' if query else '')
        yield Operation(
            f'admin: {shown}',
            lambda client, url=url, query=query: _expect(200, client.get(f'{url}?{query}').status_code),  # type: ignore[misc]
            _client,
            times=1,
            bound=bound,
        )
    for what, name, find in ROW_PAGES:
        yield Operation(
            f'admin: {name} {what}',
            lambda given: _expect(200, given[0].get(given[1]).status_code),
            lambda name=name, find=find: (_client(), reverse(f'admin:netbox_jobs_{name}', args=(find().pk,))),  # type: ignore[misc]
            times=1,
        )


# Preparations


def _about() -> tuple[Thing, Any]:
    return Thing.objects.get(name='thing 7'), get_user_model().objects.get(pk=1)


def _quiet() -> Thing:
    """A thing with a few jobs, on both tables the same."""
    return Thing.objects.get(name=f'thing {rows.THINGS - 1}')


def _rested() -> Thing:
    """One that had many jobs, months ago."""
    return Thing.objects.get(name=f'thing {rows.THINGS - 2}')


def _schedules() -> list[Schedule]:
    """One that has run as lately as any job, and one that has rested for months."""
    return list(Schedule.objects.order_by('pk')[:2])


def _unscheduled() -> Thing:
    thing = Thing.objects.get(name='thing 7')
    Plain.end_schedule(thing)
    return thing


def _scheduled() -> Thing:
    thing = Thing.objects.get(name='thing 7')
    Plain.enqueue_once(thing, interval=60)
    return thing


def _delivered(**options: Any) -> Job:
    return Plain.enqueue(whom='world', **options)


def _claimed(**options: Any) -> Job:
    job = _delivered(**options)
    claimed = claim.claim(str(job.job_id), TOKEN, database())
    if claimed is None:
        raise AssertionError('the job was not there to be claimed')
    return claimed


def _progress(job: Job) -> Progress | None:
    return Progress.objects.filter(job_id=job.pk).first()


def _client() -> Client:
    """A user whose process has added up nothing before."""
    performance._found.clear()
    client = Client()
    client.force_login(get_user_model().objects.get(pk=1))
    return client


def _expect(wanted: int, found: int) -> None:
    if wanted != found:
        raise AssertionError(f'expected {wanted}, got {found}')


# Around them


class Ground:
    """The table as it was filled: what the operations have added is taken away again, and RQ knows what waits."""

    def __init__(self, using: str, known: list[str]) -> None:
        self._using = using
        self._known = known
        self._last = {model: model.objects.using(using).order_by('-pk').first().pk for model in (Job, Schedule)}  # type: ignore[union-attr,attr-defined]

    def restore(self) -> None:
        """Remove what was added, and put RQ's queue in order."""
        with transaction.atomic(using=self._using):
            new = Job.objects.using(self._using).filter(pk__gt=self._last[Job])
            new._raw_delete(self._using)
            Schedule.objects.using(self._using).filter(pk__gt=self._last[Schedule])._raw_delete(self._using)
        queue = delivery.queue('default')
        queue.connection.flushdb()
        if self._known:
            queue.connection.rpush(queue.key, *self._known)

    def vacuum(self) -> None:
        """Have the dead rows taken away, so that a later sample does not pay for an earlier one."""
        if connections[self._using].vendor == 'postgresql':
            with connections[self._using].cursor() as cursor:
                cursor.execute('VACUUM netbox_jobs_job, netbox_jobs_joblogentry, netbox_jobs_schedule')

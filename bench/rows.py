"""A table of jobs as it is after months: filled in bulk, by the database itself."""

import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connections
from django.utils import timezone

from netbox_jobs.core import arguments, clock
from netbox_jobs.models import (
    AuditEntry,
    HourlyStatistics,
    Job,
    JobLogEntry,
    Schedule,
    Worker,
    Workflow,
    WorkflowMember,
)
from netbox_jobs.models.workflows import key_of
from tests.app.jobs import Plain
from tests.app.models import Thing

from .dialects import Dialect

PLAIN = f'{Plain.__module__}.{Plain.__qualname__}'
#: Days over which the finished jobs are spread; younger than retention.
SPREAD = 80
#: How many things have jobs. The first of them has a hundredth of all.
THINGS = 2000
#: Finished jobs of the quiet thing and of each schedule that are there in any case, also in the empty table.
ALWAYS = 20
#: Errored jobs, workflows and audit entries that are there in any case: more than a page of the admin's lists shows.
ERRORED = 120
#: How many causes the errors have: more than the page of errors lists. (Each is of one runner.)
CAUSES = 80


def fill(using: str, finished: int, *, share: int = 20) -> None:
    """Empty the tables; then `finished` jobs that have ended, 1,000 that wait, some that run, and their surroundings.

    Args:
        using: The alias of the database.
        finished: How many have ended.
        share: One in so many of them has ten log lines.
    """
    clear(using)
    surroundings = _surround(using)
    template = _template(using)
    if finished:
        _finished(using, template, finished, surroundings)
        _lines(using, f'j.id % {share} = 0')
    for number in range(ALWAYS):
        ended = timezone.now() - timedelta(days=60, minutes=number)
        for schedule in surroundings['schedules']:
            _new(template, using, schedule_id=schedule.pk, created=ended, completed=ended).save(using=using)
        for thing in (surroundings['quiet'], surroundings['rested']):
            about = {'object_type': template.object_type, 'object_id': str(thing), 'name': f'Sync {number % 4}'}
            _new(template, using, created=ended, completed=ended, **about).save(using=using)
    for number in range(ERRORED):
        ended = timezone.now() - timedelta(hours=6, minutes=number)
        cause = {'error': f'no answer from host {number % CAUSES}', 'fingerprint': f'{number % CAUSES:016}'}
        _new(template, using, created=ended, completed=ended, status='errored', **cause).save(using=using)
    _waiting(using, template)
    _workflows(using, ERRORED + finished // 20)
    _trail(using, ERRORED + finished // 10)
    template.delete()
    analyze(using)


def old(using: str, count: int, *, lines: bool) -> None:
    """Jobs that ended before retention's limit, with ten log lines each if asked for."""
    template = _template(using, name='old')
    dialect = Dialect(using)
    age = f'100 * 86400 - {dialect.n}'
    _copy(using, template, count, {**_times(dialect, age), 'job_id': dialect.uuid})
    if lines:
        _lines(using, "j.name = 'old'")
    template.delete()


def clear(using: str) -> None:
    """Empty all that this module fills."""
    models = (Job, JobLogEntry, HourlyStatistics, Schedule, Worker, Thing, Workflow, WorkflowMember, AuditEntry)
    tables = [model._meta.db_table for model in models]
    tables += [Job.dependencies.through._meta.db_table]
    with connections[using].cursor() as cursor:
        if connections[using].vendor == 'postgresql':
            cursor.execute(f'TRUNCATE {", ".join(tables)} RESTART IDENTITY CASCADE')
        else:
            cursor.execute('SET foreign_key_checks = 0')
            for table in tables:
                cursor.execute(f'TRUNCATE {table}')
            cursor.execute('SET foreign_key_checks = 1')


def analyze(using: str) -> None:
    """Let the database look at its tables, as it does by itself from time to time."""
    connection = connections[using]
    with connection.cursor() as cursor:
        for model in (Job, JobLogEntry, HourlyStatistics, Schedule, Thing, Workflow, WorkflowMember, AuditEntry):
            word = 'VACUUM ANALYZE' if connection.vendor == 'postgresql' else 'ANALYZE TABLE'
            cursor.execute(f'{word} {model._meta.db_table}')


def _surround(using: str) -> dict[str, Any]:
    get_user_model().objects.using(using).get_or_create(
        pk=1, defaults={'username': 'bench', 'is_staff': True, 'is_superuser': True}
    )
    things = Thing.objects.using(using).bulk_create([Thing(name=f'thing {number}') for number in range(THINGS)])
    fields = {'runner': PLAIN, 'name': 'Plain', 'interval': 5, 'queue_name': 'default'}
    schedules = [Schedule(key=uuid.uuid4().hex, **fields) for _ in range(2)]
    for schedule in schedules:
        schedule.save(using=using)
    workers = [Worker(token=uuid.uuid4().hex, name=f'w{number}', host='h', pid=number) for number in range(1, 6)]
    Worker.objects.using(using).bulk_create(workers)
    return {
        'hot': things[0].pk,
        'quiet': things[-1].pk,
        'rested': things[-2].pk,
        'things': things[1].pk,
        'schedules': schedules,
    }


def _template(using: str, name: str = 'Plain') -> Job:
    """A finished job, of which the others are copies."""
    now = timezone.now()
    job = Job(
        runner=PLAIN,
        name=name,
        object_type=ContentType.objects.db_manager(using).get_for_model(Thing),
        status='completed',
        started=now,
        completed=now,
        execution_time=timedelta(seconds=1),
        data={'rows': 17, 'source': 'shop'},
        queue_name='default',
        deliveries=1,
        attempt=1,
        due=clock.now_ms(),
    )
    stored = arguments.encode({'whom': 'world', 'count': 3})
    job.arguments, job.arguments_format, job.arguments_shown = stored.payload, stored.format, stored.shown
    job.arguments_signature = stored.signature(job.job_id, job.runner, '')
    job.save(using=using)
    return job


def _new(template: Job, using: str, **values: Any) -> Job:
    """One more copy, unsaved."""
    kept = {
        field.attname: getattr(template, field.attname)
        for field in Job._meta.concrete_fields
        if field.attname not in ('id', 'job_id', 'object_type_id')
    }
    return Job(**{**kept, 'job_id': uuid.uuid4(), **values})


def _times(dialect: Dialect, age: str) -> dict[str, str]:
    return {
        'created': dialect.ago(age),
        'started': dialect.ago(f'{age} - 1'),
        'completed': dialect.ago(f'{age} - 2'),
        'due': dialect.milliseconds_ago(age),
    }


def _finished(using: str, template: Job, count: int, surroundings: dict[str, Any]) -> None:
    """Copies of the template: half are the operations' own runner's, a quarter about things, a tenth of a schedule.

    The higher the number, the younger. A second schedule rests: it has jobs in the oldest tenth only.
    """
    dialect = Dialect(using)
    n = dialect.n
    busy, resting = (schedule.pk for schedule in surroundings['schedules'])
    hot, first, rested = surroundings['hot'], surroundings['things'], surroundings['rested']
    about = f"""CASE WHEN {n} % 4 = 0 THEN CAST({first} + {n} % {THINGS - 3} AS {dialect.text})
                     WHEN {n} % 100 = 1 THEN CAST({hot} AS {dialect.text})
                     WHEN {n} % 4 = 2 AND {n} < {count} / 10 THEN CAST({rested} AS {dialect.text}) END"""
    values = {
        **_times(dialect, f'({count} - {n}) * {SPREAD * 86400 / count} + 60'),
        'job_id': dialect.uuid,
        'runner': f"CASE WHEN {n} % 2 = 0 THEN '{PLAIN}' ELSE CONCAT('shop.jobs.Report', {n} % 40) END",
        'name': f"CASE WHEN {n} % 2 = 0 THEN 'Plain' ELSE CONCAT('Report ', {n} % 40) END",
        'status': f"""CASE {n} % 21 WHEN 0 THEN 'errored' WHEN 1 THEN 'failed' WHEN 2 THEN 'canceled'
                                   ELSE 'completed' END""",
        'object_id': about,
        'object_type_id': f'CASE WHEN {n} % 4 IN (0, 2) OR {n} % 100 = 1 THEN {template.object_type_id} END',
        'schedule_id': f"""CASE WHEN {n} % 10 = 3 THEN {busy}
                                WHEN {n} % 10 = 4 AND {n} < {count} / 10 THEN {resting} END""",
        'user_id': f'CASE WHEN {n} % 3 = 0 THEN 1 END',
        'error': f"CASE WHEN {n} % 21 < 2 THEN CONCAT('no answer from host ', {n} % {CAUSES}) ELSE '' END",
        'fingerprint': f"CASE WHEN {n} % 21 < 2 THEN LPAD(CAST({n} % {CAUSES} AS {dialect.text}), 16, '0') ELSE '' END",
    }
    _copy(using, template, count, values)


def _copy(using: str, template: Job, count: int, values: dict[str, str]) -> None:
    columns = [field.column for field in Job._meta.concrete_fields if field.column != 'id']
    if unknown := values.keys() - set(columns):
        raise ValueError(f'{", ".join(sorted(unknown))}: no such columns of jobs')
    quote = connections[using].ops.quote_name
    # The template's own object is left out: a copy is about something only if it is told so.
    values = {'object_type_id': 'NULL', **values}
    chosen = ', '.join(values.get(column, f't.{quote(column)}') for column in columns)
    table, series = quote(Job._meta.db_table), Dialect(using).series(count)
    with connections[using].cursor() as cursor:
        cursor.execute(
            f'INSERT INTO {table} ({", ".join(map(quote, columns))}) '
            f'SELECT {chosen} FROM {table} t CROSS JOIN {series} WHERE t.id = {template.pk} ORDER BY {Dialect(using).n}'
        )


def _lines(using: str, which: str) -> None:
    dialect = Dialect(using)
    lines, jobs = JobLogEntry._meta.db_table, Job._meta.db_table
    stamp = 'timestamp' if dialect.postgresql else '`timestamp`'
    with connections[using].cursor() as cursor:
        cursor.execute(
            f'INSERT INTO {lines} (job_id, attempt, {stamp}, level, message) '
            f"SELECT j.id, 1, j.started, 'info', CONCAT('line ', {dialect.n}, ' of what the job had to say') "
            f"FROM {jobs} j CROSS JOIN {dialect.series(10)} WHERE j.status = 'completed' AND {which}"
        )


def _waiting(using: str, template: Job) -> None:
    """1,000 that wait: 450 are due and in RQ, 50 depend on others, 400 are for later, 101 are their schedules' next."""
    later = timezone.now() + timedelta(days=1)
    waits = {'started': None, 'completed': None, 'execution_time': None, 'data': None, 'attempt': 0}
    due = {**waits, 'status': 'pending', 'due': clock.now_ms() - 60_000}
    scheduled = {**waits, 'status': 'scheduled', 'scheduled': later, 'due': clock.to_ms(later), 'deliveries': 0}
    rows = [_new(template, using, **due) for _ in range(450)]
    rows += [_new(template, using, **scheduled) for _ in range(400)]
    fields = {'runner': PLAIN, 'name': 'Plain', 'interval': 60, 'queue_name': 'default'}
    schedules = Schedule.objects.using(using).bulk_create(
        [Schedule(key=uuid.uuid4().hex, **fields) for _ in range(100)]
    )
    rows += [_new(template, using, **scheduled, schedule_id=each.pk, slot=each.pk) for each in schedules]
    busy = Schedule.objects.using(using).earliest('pk').pk
    rows.append(_new(template, using, **scheduled, schedule_id=busy, slot=busy))
    jobs = Job.objects.using(using).bulk_create(rows)
    gated = [_new(template, using, **{**due, 'due': None, 'deliveries': 0}) for _ in range(50)]
    gated = Job.objects.using(using).bulk_create(gated)
    links = Job.dependencies.through
    links._default_manager.using(using).bulk_create(
        [links(from_job_id=one.pk, to_job_id=other.pk) for one, other in zip(gated, jobs, strict=False)]
    )
    tokens = list(Worker.objects.using(using).values_list('token', flat=True))
    running = [_new(template, using, status='running', completed=None, worker=tokens[n % 5]) for n in range(10)]
    Job.objects.using(using).bulk_create(running)


def _workflows(using: str, count: int) -> None:
    """Workflows of two members each, whose jobs retention has deleted."""
    dialect = Dialect(using)
    flows, members = Workflow._meta.db_table, WorkflowMember._meta.db_table
    times = f'{dialect.ago(f"({count} - {dialect.n}) * 60 + 60")}, {dialect.ago(f"({count} - {dialect.n}) * 60")}'
    key = connections[using].ops.quote_name('key')
    with connections[using].cursor() as cursor:
        cursor.execute(
            f'INSERT INTO {flows} (name, status, created, completed, ending, error) '
            f"SELECT CONCAT('Import ', {dialect.n}), CASE {dialect.n} % 2 WHEN 0 THEN 'failed' ELSE 'completed' END, "
            f"{times}, '', '' FROM {dialect.series(count)}"
        )
        for name in ('fetch', 'store'):
            cursor.execute(
                f'INSERT INTO {members} (workflow_id, {key}, name, role, state, gated) '
                f"SELECT w.id, '{key_of(name)}', '{name}', '', 'completed', false FROM {flows} w"
            )


def _trail(using: str, count: int) -> None:
    """Audit entries, of which the latest are the youngest."""
    dialect = Dialect(using)
    with connections[using].cursor() as cursor:
        cursor.execute(
            f'INSERT INTO {AuditEntry._meta.db_table} '
            '(created, actor, face, action, object_type, object_id, object_name, count, details) '
            f"SELECT {dialect.ago(f'({count} - {dialect.n}) * 60')}, 'bench', 'admin', 'cancel', 'job', "
            f"CAST({dialect.n} AS {dialect.text}), 'Plain', 1, '{{}}' FROM {dialect.series(count)}"
        )


def delivered(aliases: Iterable[str]) -> list[str]:
    """The ids that RQ would hold for the waiting jobs of these databases."""
    ids: list[str] = []
    for using in aliases:
        waiting = Job.objects.using(using).filter(status='pending', due__isnull=False)
        ids += [job.delivery_id for job in waiting]
    return ids

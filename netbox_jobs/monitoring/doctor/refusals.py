"""What tells afterwards that processes disagree: arguments that are not signed for this process, lost deliveries."""

from collections.abc import Iterator
from datetime import timedelta

from django.db.models.functions import Left
from django.utils import timezone

from ...choices import JobStatusChoices
from ...core import formatting
from ...core.arguments import NOT_SIGNED
from ...models import Job, RepairCount, database
from ..errors import failed_jobs
from .finding import ERROR, INFO, WARNING, Finding

#: For how long back jobs and repairs are looked at.
_RECENT = timedelta(days=1)
_REPAIRED = timedelta(hours=1)
#: How many jobs are looked at: the newest.
LOOKED_AT = 50
_KEYS = (
    'Give all processes, web and workers, the same SECRET_KEY. If it was changed, put the old one in '
    'SECRET_KEY_FALLBACKS until the waiting jobs have run.'
)


def findings() -> Iterator[Finding]:
    """Yield what became of jobs because the settings of processes differ."""
    yield from _unsigned()
    yield from _refused()
    yield from _redelivered()


def _unsigned() -> Iterator[Finding]:
    waiting = Job.objects.using(database()).filter(status__in=JobStatusChoices.WAITING_STATE_CHOICES)
    newest = waiting.defer('data', 'error').order_by('-pk')[:LOOKED_AT]
    refused = [job.pk for job in newest if not job.is_signed]
    if refused:
        yield Finding(
            'jobs.signature',
            ERROR,
            f'Of the newest waiting jobs, {len(refused)} {"is" if len(refused) == 1 else "are"} not signed with a '
            f'SECRET_KEY of this process, such as job {refused[0]}. A worker with the settings of this process refuses '
            'what is not.',
            _KEYS,
        )


def _refused() -> Iterator[Finding]:
    errored = failed_jobs(timezone.now() - _RECENT).order_by('-completed')
    newest = errored.values_list('pk', Left('error', len(NOT_SIGNED)))[:LOOKED_AT]
    refused = [pk for pk, start in newest if start == NOT_SIGNED]
    if refused:
        yield Finding(
            'jobs.refused',
            WARNING,
            f'Of the jobs that errored in the last day, {len(refused)} {"was" if len(refused) == 1 else "were"} not '
            f'signed with a SECRET_KEY of the worker, such as job {refused[0]}.',
            _KEYS,
        )


def _redelivered() -> Iterator[Finding]:
    since = timezone.now() - _REPAIRED
    rows = RepairCount.objects.using(database()).filter(pk=RepairCount.Kind.REDELIVERY, latest__gte=since)
    for row in rows:
        yield Finding(
            'jobs.redelivered',
            INFO,
            f'Redis had lost waiting jobs, which recovery delivered again, the last time at '
            f'{formatting.full_moment(row.latest)}. So they run, but late.',
            'If Redis was not emptied or restarted then: compare RQ_QUEUES of all processes, with the SERIALIZER, and '
            'look which other programs use the same Redis database.',
        )

"""The arguments of a job that went wrong beside those of a run that completed: is it the arguments?"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import QuerySet

from ..choices import JobStatusChoices
from ..core import formatting
from ..models import Job

#: How many earlier jobs of the schedule, of the object and of the runner are looked through.
LOOKED_THROUGH = 200
#: Of the runner alone, those among so many jobs before this one.
BEFORE = 5_000
#: How many characters of the arguments are compared, how many differences are listed, and how long a value is.
_LONGEST, LISTED, _VALUE = 20_000, 50, 200


@dataclass(frozen=True, slots=True)
class Difference:
    """An argument that the two jobs have with different values; None stands for an argument that one does not have."""

    name: str
    here: str | None
    there: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run that completed, and what is different here."""

    job: Job
    differences: list[Difference]


def with_completed(job: Job) -> Comparison | None:
    """Return how the arguments of a job that errored or failed differ from those of the latest completed run.

    That is one of the same schedule, else about the same object, else of the same runner, before this job; None if
    there is none, or this job has not gone wrong. A few hundred rows are read at most.
    """
    if job.status not in (JobStatusChoices.STATUS_ERRORED, JobStatusChoices.STATUS_FAILED) or not job.runner:
        return None
    for rows in _earlier(job):
        statuses = rows.values_list('pk', 'status')[:LOOKED_THROUGH]
        found = next((pk for pk, status in statuses if status == JobStatusChoices.STATUS_COMPLETED), None)
        if found is not None:
            fields = ('name', 'status', 'completed', 'arguments_shown')
            other = Job.objects.using(job._state.db).only(*fields).filter(pk=found).first()
            return None if other is None else Comparison(other, _differences(job, other))
    return None


def _earlier(job: Job) -> 'Iterator[QuerySet[Job]]':
    """Jobs of the runner before this one, the closest relatives first; an index serves each query."""
    jobs = Job.objects.using(job._state.db).filter(runner=job.runner, pk__lt=job.pk)
    if (key := job.schedule_id) is not None:  # see `Schedule.latest_jobs`
        yield jobs.filter(schedule_id__gte=key, schedule_id__lte=key).order_by('-schedule_id', '-pk')
    if job.object_type_id is not None and job.object_id is not None:
        yield jobs.filter(object_type_id=job.object_type_id, object_id=job.object_id).order_by('-created')
    yield jobs.filter(pk__gte=job.pk - BEFORE).order_by('-pk')


def _differences(job: Job, other: Job) -> list[Difference]:
    here, there = _values(job), _values(other)
    names = [name for name in dict.fromkeys([*here, *there]) if here.get(name) != there.get(name)]
    return [Difference(_cut(name) or '', _cut(here.get(name)), _cut(there.get(name))) for name in names[:LISTED]]


def _values(job: Job) -> dict[str, str]:
    """Return the arguments as they are shown, which is a line for each: 'pages=160'."""
    lines = job.arguments_shown[:_LONGEST].splitlines()
    return {name: value for name, _, value in (line.partition('=') for line in lines)}


def _cut(value: str | None) -> str | None:
    return None if value is None else formatting.cut(value, _VALUE)

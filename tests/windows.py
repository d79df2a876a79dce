"""How many moments lie within any span of so many seconds."""

from collections.abc import Iterable
from datetime import datetime

from netbox_jobs.models import Job, JobAttempt


def starts(jobs: Iterable[Job]) -> list[float]:
    """When each attempt of these jobs began, as their rows say."""
    keys = [job.pk for job in jobs]
    begun = [*Job.objects.filter(pk__in=keys).values_list('started', flat=True)]
    begun += JobAttempt.objects.filter(job_id__in=keys).values_list('started', flat=True)
    return sorted(moment.timestamp() for moment in begun if isinstance(moment, datetime))


def most_within(seconds: float, moments: Iterable[float]) -> int:
    """Return the largest number of moments in a span that is shorter than so many seconds."""
    found, most, first = sorted(moments), 0, 0
    for last, moment in enumerate(found):
        while moment - found[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most

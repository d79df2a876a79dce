"""What running jobs leave behind."""

from tests.app.models import Trace


def started(job):
    return Trace.objects.filter(job_pk=job.pk, what='start').count()

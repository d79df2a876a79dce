"""Jobs that run as far as their rows say, for the tests in a browser."""

from datetime import timedelta

from django.contrib.auth import get_user_model
from django.utils import timezone

from example_plugin.jobs import SyncSourceJob
from netbox_jobs.models import Job, JobLogEntry, Progress

WAIT = 60_000  # milliseconds


def running_job(source, user, lines=0):
    """A job that runs as far as its row says; what it does is up to the test."""
    job = SyncSourceJob.enqueue(instance=source, user=get_user_model().objects.get(username=user))
    Job.objects.filter(pk=job.pk).update(status='running', worker='w', attempt=1, started=timezone.now())
    JobLogEntry.objects.bulk_create([JobLogEntry(job=job, level='info', message=f'line {n}') for n in range(lines)])
    job.refresh_from_db()
    return job


def tell(job, current, message='Storing records'):
    began = timezone.now() - timedelta(seconds=10)
    values = {'current': current, 'total': 100, 'message': message, 'began': began, 'updated': timezone.now()}
    Progress.objects.update_or_create(job=job, defaults=values)


def log(job, message):
    JobLogEntry.objects.create(job=job, level='info', message=message)

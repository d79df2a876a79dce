"""Makes its job rows by hand, and gives RQ a function of its own to keep them up to date."""

import uuid

import django_rq

from netbox_jobs.choices import JobStatusChoices
from netbox_jobs.models import Job


def start_task(instance, user=None):
    job = Job.objects.create(
        object=instance, name='Legacy task', user=user, status=JobStatusChoices.STATUS_PENDING, job_id=uuid.uuid4()
    )
    django_rq.get_queue('default').enqueue(perform_task, job_id=str(job.job_id), job_pk=job.pk)
    return job


def perform_task(job_pk):
    job = Job.objects.get(pk=job_pk)
    job.start()
    job.data = {'done': True}
    job.terminate()

"""Registered by calling the decorator; its `run()` takes no arguments; it removes old jobs itself."""

from datetime import timedelta

from django.utils import timezone

from netbox_jobs.choices import JobIntervalChoices, JobStatusChoices
from netbox_jobs.jobs import JobRunner, system_job
from netbox_jobs.models import Job


class RetentionJob(JobRunner):
    class Meta:
        name = 'Retention'

    def run(self):
        old = Job.objects.filter(
            created__lt=timezone.now() - timedelta(days=30), status__in=JobStatusChoices.TERMINAL_STATE_CHOICES
        ).exclude(pk=self.job.pk)
        self.job.data = {'deleted': old.count()}
        old.delete()


system_job(interval=JobIntervalChoices.INTERVAL_DAILY)(RetentionJob)

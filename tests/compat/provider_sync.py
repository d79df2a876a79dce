"""Overrides `enqueue()` for its defaults, and looks for an active job by name before it enqueues another."""

from netbox_jobs.choices import JobNotificationChoices, JobStatusChoices
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job


class ProviderSyncJob(JobRunner):
    class Meta:
        name = 'Provider sync'

    @classmethod
    def enqueue(cls, *args, **kwargs):
        kwargs.setdefault('queue_name', 'tests.app.work')
        kwargs.setdefault('job_timeout', 7200)
        kwargs.setdefault('notifications', JobNotificationChoices.NOTIFICATION_ON_FAILURE)
        return super().enqueue(*args, **kwargs)

    @classmethod
    def job_name(cls, account_pk):
        return f'{cls.name} [{account_pk}]'

    @classmethod
    def enqueue_for_account(cls, account, user=None, schedule_at=None):
        active = Job.objects.filter(
            name=cls.job_name(account.pk), status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES
        ).order_by('created')
        if (job := active.first()) is not None:
            return job, False
        return (
            cls.enqueue(name=cls.job_name(account.pk), user=user, schedule_at=schedule_at, account_pk=account.pk),
            True,
        )

    def run(self, account_pk, *args, **kwargs):
        self.job.data = {'account_pk': account_pk, 'queue': self.job.queue_name}
        self.job.save(update_fields=('data',))

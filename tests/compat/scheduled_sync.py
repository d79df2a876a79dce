"""What a model's `save()` calls: schedules a sync of the object, moves it, or takes it away."""

from netbox_jobs.choices import JobStatusChoices
from netbox_jobs.jobs import JobRunner


class ScheduledSyncJob(JobRunner):
    class Meta:
        name = 'Scheduled sync'

    @classmethod
    def enqueue_once(cls, instance=None, schedule_at=None, interval=None, *args, **kwargs):
        kwargs.setdefault('queue_name', 'low')
        return super().enqueue_once(instance, schedule_at, interval, *args, **kwargs)

    def run(self, *args, **kwargs):
        if self.job.object is None:
            self.logger.warning('Its object (%s) does not exist any more', self.job.object_id)
            return
        self.job.data = {'synced': str(self.job.object)}


def on_save(instance, interval):
    """Keep the schedule as the object's form says it."""
    if interval:
        return ScheduledSyncJob.enqueue_once(instance=instance, interval=interval)
    for job in ScheduledSyncJob.get_jobs(instance).filter(status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES):
        job.delete()
    return None

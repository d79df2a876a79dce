"""Listens to the ends of jobs, and tells those who asked to be told."""

from netbox_jobs.choices import JobNotificationChoices, JobStatusChoices
from netbox_jobs.jobs import JobRunner
from netbox_jobs.signals import job_end

told: list[tuple[str, str]] = []


class NoticedJob(JobRunner):
    class Meta:
        name = 'Noticed'

    def run(self, fail=False, **kwargs):
        if fail:
            raise RuntimeError('broken')


def tell_owner(sender, **kwargs):
    failed = sender.status != JobStatusChoices.STATUS_COMPLETED
    wanted = {
        JobNotificationChoices.NOTIFICATION_ALWAYS: True,
        JobNotificationChoices.NOTIFICATION_ON_FAILURE: failed,
        JobNotificationChoices.NOTIFICATION_NEVER: False,
    }[sender.notifications]
    if wanted and sender.user:
        told.append((sender.user.username, sender.status))


def connect():
    job_end.connect(tell_owner, dispatch_uid='tests.compat.owner_notice')


def disconnect():
    job_end.disconnect(dispatch_uid='tests.compat.owner_notice')

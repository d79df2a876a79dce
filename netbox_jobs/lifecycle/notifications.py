"""The notification hook of the project, `NETBOX_JOBS['NOTIFY']`: called with jobs that have ended."""

import logging

from django.utils.module_loading import import_string

from ..choices import JobNotificationChoices, JobStatusChoices
from ..core import conf
from ..models import Job

logger = logging.getLogger('netbox_jobs')


def notify(job: Job) -> None:
    """Call the project's hook with a job that has ended, if the job's `notifications` ask for it.

    It is called once, after the end was committed, in whichever process recorded it. What it raises is logged, and
    changes nothing.
    """
    path = conf.get('NOTIFY')
    if not path or not _wanted(job):
        return
    try:
        import_string(path)(job)
    except Exception:
        logger.exception('Job %s (%s): the notification hook %s raised.', job.pk, job.name, path)


def _wanted(job: Job) -> bool:
    if job.notifications == JobNotificationChoices.NOTIFICATION_ON_FAILURE:
        return job.status in (JobStatusChoices.STATUS_FAILED, JobStatusChoices.STATUS_ERRORED)
    return job.notifications == JobNotificationChoices.NOTIFICATION_ALWAYS

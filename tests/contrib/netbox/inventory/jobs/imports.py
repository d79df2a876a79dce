"""A runner that overrides `handle()`, keeps its state in the job's data, and reports its progress to RQ."""

import logging
import time
from contextlib import nullcontext
from datetime import timedelta
from typing import NoReturn

from core.exceptions import JobFailed
from django.db import transaction
from django.utils import timezone
from netbox.context_managers import event_tracking
from netbox.jobs import JobRunner, system_job
from rq import get_current_job
from utilities.exceptions import AbortTransaction
from utilities.request import NetBoxFakeRequest

from ..models import Device

logger = logging.getLogger(__name__)


class OwnedRunner(JobRunner):
    @classmethod
    def handle(cls, job, *args, **kwargs):
        from core.choices import JobStatusChoices
        from core.models import Job

        try:
            job.refresh_from_db()
        except Job.DoesNotExist:
            return
        if job.status in JobStatusChoices.ENQUEUED_STATE_CHOICES:
            super().handle(job, *args, **kwargs)


class ImportRunner(OwnedRunner):
    job_type = 'inventory.import'

    class Meta:
        name = 'Inventory import'

    def _save_data(self, **values):
        self.job.data = {**(self.job.data or {}), **values}
        self.job.save(update_fields=['data'])

    def _fail(self, message) -> NoReturn:
        self._save_data(phase='failed', message=message)
        raise JobFailed

    def run(self, names, dry_run=False, pause=False):
        user = self.job.user
        if user is None:
            self._fail('The user of this import is gone.')
        self._save_data(phase='importing', job_type=self.job_type)
        with event_tracking(NetBoxFakeRequest({'user': user, 'method': 'POST', 'id': self.job.job_id})):
            try:
                with transaction.atomic() if not pause else nullcontext():
                    for number, name in enumerate(names, 1):
                        Device.objects.create(name=name)
                        if rq_job := get_current_job():
                            rq_job.meta.update({'processed': number})
                            rq_job.save_meta()
                        while pause and not Device.objects.filter(name='proceed').exists():
                            time.sleep(0.05)
                    if dry_run:
                        raise AbortTransaction()
            except AbortTransaction:
                self.logger.info('Dry run: rolled back')
        self._save_data(phase='completed', processed=len(names))


@system_job(interval=60 * 24)
class RetentionJob(JobRunner):
    class Meta:
        name = 'Inventory retention'

    def run(self, *args, **kwargs):
        return Device.objects.filter(checked__lt=timezone.now() - timedelta(days=30)).delete()

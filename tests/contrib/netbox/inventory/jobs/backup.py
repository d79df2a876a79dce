"""Jobs that handle signals, change the job's data in place, and look at other jobs of the plugin."""

import logging
import signal
import time
from datetime import timedelta

from core.choices import JobIntervalChoices, JobStatusChoices
from core.models import Job
from django.utils import timezone
from netbox import settings
from netbox.jobs import JobRunner, system_job

from ..models import Device

logger = logging.getLogger('inventory')

frequency = settings.PLUGINS_CONFIG.get('tests.contrib.netbox.inventory', {}).get('frequency', 3600)


@system_job(interval=JobIntervalChoices.INTERVAL_MINUTELY * 5)
class BackupRunner(JobRunner):
    class Meta:
        name = 'Backup runner'

    def handle_exit(self, signum, frame):
        self.running = False

    def run(self, device=None, *args, **kwargs):
        self.running = True
        signal.signal(signal.SIGINT, self.handle_exit)
        if not self.job.data:
            self.job.data = {}
            self.job.save()
        devices = Device.objects.filter(pk=device.pk) if device else Device.objects.all()
        self.job.data.update({'status': {'scheduled': devices.count()}})
        self.job.clean()
        self.job.save()
        self.job.refresh_from_db()
        for each in devices:
            while each.name == 'slow' and self.running:
                time.sleep(0.05)
            if each.name == 'broken':
                raise RuntimeError('No backup')
            each.jobs.filter(status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES).count()
        self.job.data.update({'status': {'completed': devices.count()}, 'frequency': frequency})


@system_job(interval=JobIntervalChoices.INTERVAL_HOURLY * 2)
class BackupHousekeeping(JobRunner):
    class Meta:
        name = 'Backup housekeeping'

    def run(self, *args, **kwargs):
        waiting = Job.objects.filter(name=BackupRunner.name, status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES)
        stale = [job for job in waiting if job.scheduled and job.scheduled < timezone.now() - timedelta(minutes=30)]
        for job in stale:
            job.delete()
            BackupRunner.enqueue(schedule_at=timezone.now() + timedelta(minutes=5))
        self.logger.info('%s stale jobs', len(stale))

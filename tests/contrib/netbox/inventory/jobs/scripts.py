"""Scripts run as jobs, as NetBox runs its own; and jobs that plan their next run, or say how they end, themselves."""

import logging
import traceback
from contextlib import ExitStack
from datetime import datetime, time, timedelta

from core.choices import JobIntervalChoices, JobStatusChoices
from core.signals import clear_events
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from netbox.jobs import Job, JobRunner
from netbox.registry import registry
from utilities.exceptions import AbortScript, AbortTransaction

from ..models import Device


class Script:
    """What users write: `run()` returns its output, and the log goes into the data of the job."""

    def __init__(self):
        self.output, self.request, self.failed = '', None, False
        self.log = []
        self.logger = logging.getLogger('netbox.scripts.inventory')

    def log_line(self, level, message):
        self.log.append({'time': timezone.now().isoformat(), 'status': level, 'message': str(message)})
        if level == 'failure':
            self.failed = True

    def get_job_data(self):
        return {'log': self.log, 'output': self.output, 'tests': {}}


class NameDevices(Script):
    def run(self, data, commit):
        for name in data['names']:
            if name == '':
                raise AbortScript('A name is empty')
            Device.objects.create(name=name)
            if name == 'odd':
                raise ValueError('odd')
            if name == 'wrong':
                self.log_line('failure', f'{name} is wrong')
        return f'{len(data["names"])} by {self.request.user}'


class ScriptJob(JobRunner):
    class Meta:
        name = 'Run Script'

    def run_script(self, script, request, data, commit):
        self.logger.info(_('Running script (commit={commit})').format(commit=commit))
        try:
            try:
                with transaction.atomic():
                    script.output = script.run(data, commit)
                    if not commit:
                        raise AbortTransaction()
            except AbortTransaction:
                script.log_line('info', _('Database changes have been reverted automatically.'))
                if request:
                    clear_events.send(request)
                if script.failed:
                    self.logger.warning('Script failed')
                    raise
            if script.failed:
                self.logger.warning('Script failed')
        except Exception as error:
            if type(error) is AbortScript:
                message = _('Script aborted with error: ') + str(error)
                self.logger.error(message)
            else:
                message = _('An exception occurred: ') + f'`{type(error).__name__}: {error}`'
                script.log_line('info', traceback.format_exc())
                self.logger.error(f'Exception raised during script execution: {error}')
            script.log_line('failure', message)
            if type(error) is not AbortTransaction:
                script.log_line('info', _('Database changes have been reverted due to error.'))
                if request:
                    clear_events.send(request)
            raise
        finally:
            self.job.data = script.get_job_data()

    def run(self, data, request=None, commit=True, **kwargs):
        script = NameDevices()
        if request:
            for field_name, fileobj in request.FILES.items():
                data[field_name] = fileobj
        script.request = request
        self.logger.debug(f'Request ID: {request.id if request else None}')
        if commit:
            self.logger.info('Executing script (commit enabled)')
        with ExitStack() as stack:
            for request_processor in registry['request_processors']:
                stack.enter_context(request_processor(request))
            self.run_script(script, request, data, commit)


class NightlyJob(JobRunner):
    """Plans its next run itself, because an interval would drift."""

    class Meta:
        name = 'Nightly check'

    def run(self, device_id: int, *args, **kwargs) -> None:
        device = Device.objects.get(pk=device_id)
        if device.status == 'retired':
            return
        night = datetime.combine(timezone.localdate() + timedelta(days=1), time(2), timezone.get_current_timezone())
        self.__class__.enqueue_once(instance=device, schedule_at=night, interval=None, device_id=device.pk)


class DashboardJob(JobRunner):
    class Meta:
        name = 'Refresh dashboards'

    def run(self, *args, **kwargs):
        job: Job = self.job
        device = job.object
        if device is not None and device.status == 'unmanaged':
            self.job.data = {'error': 'It is not managed'}
            self.job.status = JobStatusChoices.STATUS_ERRORED
            return
        try:
            if not Device.objects.exists():
                raise RuntimeError('No devices')
        except Exception:
            self.job.error = traceback.format_exc()
            raise
        finally:
            self.job.data = {'devices': Device.objects.count()}

    @staticmethod
    def launch_manual(now):
        return DashboardJob.enqueue(immediate=True) if now else DashboardJob.enqueue()

    @classmethod
    def keep_going(cls):
        return cls.enqueue_once(interval=JobIntervalChoices.INTERVAL_MINUTELY * 2)

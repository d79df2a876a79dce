"""Jobs that write with a user's request, and enqueue other jobs."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import Any

from core.choices import JobIntervalChoices, JobNotificationChoices, JobStatusChoices
from core.exceptions import JobFailed
from core.models import Job, ObjectType
from django.contrib.auth import get_user_model
from django.utils import timezone
from netbox.constants import RQ_QUEUE_LOW
from netbox.context import current_request
from netbox.jobs import JobRunner
from netbox.plugins import get_plugin_config
from utilities.request import NetBoxFakeRequest, apply_request_processors
from utilities.rqworker import get_queue_for_model

try:
    from netbox.jobs import system_job
except ImportError:  # NetBox before 4.2
    system_job = None

from ..models import Device

PLUGIN = 'tests.contrib.netbox.inventory'


@contextmanager
def change_logging(user: Any):
    if not isinstance(user, get_user_model()):
        yield
        return
    request = NetBoxFakeRequest(
        {'META': {}, 'POST': {}, 'GET': {}, 'FILES': {}, 'user': user, 'path': '', 'id': uuid.uuid4()}
    )
    with apply_request_processors(request):
        yield


class SyncDeviceJob(JobRunner):
    class Meta:
        name = 'Device sync'

    @classmethod
    def job_name(cls, device: Device) -> str:
        return f'{cls.name}: {device.name}'[:200]

    @classmethod
    def enqueue_sync(cls, device: Device, user: Any = None) -> Job:
        existing = Job.objects.filter(
            name=cls.job_name(device), status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES
        ).first()
        if existing is not None:
            return existing
        return cls.enqueue(
            instance=device,
            name=cls.job_name(device),
            user=user,
            queue_name=get_queue_for_model('device'),
            notifications=JobNotificationChoices.NOTIFICATION_ON_FAILURE,
            job_timeout=300,
            params={'endpoint': get_plugin_config(PLUGIN, 'endpoint')},
        )

    def run(self, *args: Any, **kwargs: Any) -> None:
        device = Device.objects.get(pk=self.job.object_id)
        self.logger.info(f'Reading {device} from {kwargs["params"]["endpoint"]}')
        with change_logging(self.job.user):
            request = current_request.get()
            self.job.data = {'as': request.user.username if request else None}
            if device.name == 'unreachable':
                self.logger.error('It does not answer')
                raise JobFailed()
            device.status, device.checked, device.job = 'seen', timezone.now(), self.job
            device.save()
        assert self.job.object_type == ObjectType.objects.get_for_model(device, for_concrete_model=False)


if system_job is not None:

    @system_job(interval=JobIntervalChoices.INTERVAL_HOURLY)
    class ReconcileJob(JobRunner):
        class Meta:
            name = 'Device reconciliation'

        def run(self, *args: Any, **kwargs: Any) -> int:
            # An older release had another interval.
            self.job.interval = 5
            for device in Device.objects.filter(checked=None):
                SyncDeviceJob.enqueue_sync(device)
                self.logger.info('Enqueued a sync of %s in %s', device, RQ_QUEUE_LOW)
            return Device.objects.count()

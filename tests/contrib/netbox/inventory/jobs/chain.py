"""A runner that keeps one chain of recurring jobs, and others that write their rows themselves or drain a timer."""

import uuid
from functools import partial

import django_rq
from core.choices import JobNotificationChoices, JobStatusChoices
from core.models import Job, ObjectType
from django.db import transaction
from django.db.models import F
from netbox.jobs import JobRunner
from utilities.rqworker import get_queue_for_model

#: What the plugin has in its settings, which its users change.
live = {'interval': 30, 'queue': 'low', 'timeout': 120, 'automatic': True}


class ChainJob(JobRunner):
    """Takes its interval, queue and time limit from the settings at every call."""

    class Meta:
        name = 'Inventory chain'
        description = 'Reads all devices again'

    def __init__(self, job):
        super().__init__(job)
        self.logger.setLevel('INFO')

    @classmethod
    def enqueue(cls, *args, **kwargs):
        kwargs.setdefault('queue_name', live['queue'])
        kwargs.setdefault('job_timeout', live['timeout'])
        if kwargs.get('interval', 0) is not None:
            kwargs['interval'] = live['interval']
        return super().enqueue(*args, **kwargs)

    @classmethod
    def converge(cls, **options):
        waiting = Job.objects.filter(
            name=cls.name, status__in=[JobStatusChoices.STATUS_PENDING, JobStatusChoices.STATUS_SCHEDULED]
        ).order_by(F('scheduled').asc(nulls_last=True), 'created')
        for extra in list(waiting)[1:]:
            extra.delete()
        return cls.enqueue_once(**options)

    def run(self, *args, **kwargs):
        if self.job.interval:
            for sibling in self.get_jobs().filter(status='scheduled').exclude(pk=self.job.pk):
                sibling.delete()
                self.logger.warning('Removed job %s', sibling.pk)
        self.logger.info('Read with %s', sorted(kwargs))


class TimerJob(JobRunner):
    """A timer that ends itself when automatic work is switched off."""

    class Meta:
        name = 'Inventory timer'

    @classmethod
    def handle(cls, job, *args, **kwargs):
        if not live['automatic']:
            job.interval = None
            job.data = {'suppressed': True}
            job.save(update_fields=['interval', 'data'])
            job.start()
            job.terminate()
            return
        super().handle(job, *args, **kwargs)

    def run(self, **kwargs):
        self.job.data = {'suppressed': False}


class PinnedJob(JobRunner):
    """Keeps on its row what it was enqueued with; an immediate run inserts that row itself."""

    class Meta:
        name = 'Inventory pin'

    @classmethod
    def enqueue(cls, *args, **kwargs):
        pin = {'pin': kwargs.get('pin'), 'job_class': cls.__name__}
        if existing := Job.objects.filter(
            status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES, data__pin=pin['pin'], data__job_class=cls.__name__
        ).first():
            return existing
        with transaction.atomic():
            job = super().enqueue(*args, **kwargs)
            job.data = pin
            job.save(update_fields=('data',))
        return job

    @classmethod
    def run_now(cls, device, user, **kwargs):
        object_type = ObjectType.objects.get_for_model(device, for_concrete_model=False)
        job = Job(
            object_type=object_type,
            object_id=device.pk,
            name=cls.name,
            status=JobStatusChoices.STATUS_PENDING,
            user=user,
            job_id=uuid.uuid4(),
            queue_name=get_queue_for_model(object_type.model),
            notifications=JobNotificationChoices.NOTIFICATION_NEVER,
            data={'pin': kwargs.get('pin')},
        )
        job.full_clean()
        with transaction.atomic(durable=True):
            job.save()
        try:
            cls.handle(job_id=str(job.job_id), job=job, **kwargs)
        except BaseException:
            if job.status not in JobStatusChoices.TERMINAL_STATE_CHOICES:
                job.terminate(status=JobStatusChoices.STATUS_ERRORED, error='The run was interrupted.')
            raise
        return job

    @classmethod
    def run_queued(cls, **kwargs):
        """Insert the row, and hand RQ an entry of the plugin's own for it."""
        job = Job(name=cls.name, status=JobStatusChoices.STATUS_PENDING, job_id=uuid.uuid4(), queue_name='low')
        job.full_clean()
        job.save()
        queue = django_rq.get_queue(job.queue_name)
        transaction.on_commit(partial(queue.enqueue, cls.handle, job_id=str(job.job_id), job=job, **kwargs))
        return job

    def run(self, *, pin, **kwargs):
        with transaction.atomic():
            locked = Job.objects.select_for_update().get(pk=self.job.pk)
            locked.data = {**(locked.data or {}), 'owner': 'rq_job'}
            locked.save(update_fields=['data'])
            self.job.data = locked.data
        if pin == 'stop':
            raise KeyboardInterrupt
        self.job.data = {**(self.job.data or {}), 'output': pin}

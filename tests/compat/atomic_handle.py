"""Ends its job in the very transaction in which it runs, so that both or neither come true."""

from contextlib import suppress
from datetime import timedelta

from django.db import IntegrityError, connection, transaction

from netbox_jobs.choices import JobStatusChoices
from netbox_jobs.jobs import JobRunner
from tests.app.models import Thing


class AtomicJob(JobRunner):
    """`run()` is a class method, and what it returns becomes the data of the job."""

    @classmethod
    def handle(cls, job, *args, **kwargs):
        try:
            job.start()
            with transaction.atomic():
                job.data = {'result': cls(job).run(*args, **kwargs)}
                job.terminate(status=JobStatusChoices.STATUS_COMPLETED)
                cls.check(**kwargs)
        except Exception as error:
            job.data = {'reverted': str(error)}
            job.terminate(status=JobStatusChoices.STATUS_ERRORED, error=str(error))
            raise
        finally:
            if job.interval:
                following = (job.scheduled or job.started) + timedelta(minutes=job.interval)
                cls.enqueue(instance=job.object, name=job.name, schedule_at=following, interval=job.interval, **kwargs)

    @classmethod
    def check(cls, how, **kwargs):
        """What a constraint does that is only looked at when the transaction commits."""
        if how == 'late':
            raise RuntimeError('too late')

    @classmethod
    def run(cls, *args, how, **kwargs):
        Thing.objects.create(name='made')
        if how == 'early':
            raise RuntimeError('too early')
        if how == 'cut':  # as a server does that is restarted
            connection.connection.close()
        if how == 'swallowed':
            with suppress(IntegrityError):
                Thing.objects.create(pk=Thing.objects.latest('pk').pk)
        return how


class LastWordJob(AtomicJob):
    """Does not say again how it ended when its transaction has come to nothing."""

    @classmethod
    def handle(cls, job, *args, **kwargs):
        job.start()
        with transaction.atomic():
            cls(job).run(*args, **kwargs)
            job.terminate()
            cls.check(**kwargs)


class WrappingJob(AtomicJob):
    """Wraps all of a run in a transaction."""

    @classmethod
    def handle(cls, job, *args, **kwargs):
        with transaction.atomic():
            super(AtomicJob, cls).handle(job, *args, **kwargs)

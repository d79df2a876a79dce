"""Runners that override what ours does, or change their own job, as plugins do; and functions."""

from django.contrib.contenttypes.models import ContentType

from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner

from .traces import trace


class Overriding(JobRunner):
    """A plugin's runner that does all of it itself, as some in the wild do."""

    class Meta:
        name = 'Overriding'
        queue = 'low'
        job_timeout = 33

    @classmethod
    def handle(cls, job, *args, **kwargs):
        from datetime import timedelta

        job.start()
        cls(job).run(*args, **kwargs)
        job.terminate()
        if job.interval:
            cls.enqueue(
                instance=job.object,
                name=job.name,
                user=job.user,
                schedule_at=(job.scheduled or job.started) + timedelta(minutes=job.interval),
                interval=job.interval,
                **kwargs,
            )

    @classmethod
    def enqueue(cls, *args, **kwargs):
        kwargs.setdefault('marked', 'yes')
        return super().enqueue(*args, **kwargs)

    def run(self, marked, **kwargs):
        self.job.data = {'marked': marked}


class OwnQueue(JobRunner):
    """Names its queue in `enqueue()`, beside whatever the caller names."""

    class Meta:
        name = 'Own queue'

    @classmethod
    def enqueue(cls, *args, **kwargs):
        return super().enqueue(*args, queue_name='low', **kwargs)

    def run(self, **kwargs):
        trace(self.job, 'start')


class Deep(JobRunner):
    """Leaves data that MariaDB takes for no JSON: more than 32 levels of it."""

    def run(self, fail=False, **kwargs):
        data = []
        for _ in range(40):
            data = [data]
        self.job.data = data
        if fail:
            raise ValueError('no')


class Defaulting(JobRunner):
    """Names a queue and a limit in `enqueue()`, where the caller names none."""

    @classmethod
    def enqueue(cls, *args, **kwargs):
        kwargs.setdefault('queue_name', 'low')
        kwargs.setdefault('job_timeout', 7200)
        return super().enqueue(*args, **kwargs)

    def run(self, **kwargs):
        trace(self.job, 'start')


class Emptying(JobRunner):
    """Uses its arguments up."""

    def run(self, items, thing=None):
        self.job.data = list(items)
        items.clear()
        if thing is not None:
            thing.delete()


class Translating(JobRunner):
    """Makes other arguments of the caller's in `enqueue()`, and a note of them on the job."""

    calls = 0

    @classmethod
    def enqueue(cls, *args, kind='all', **kwargs):
        cls.calls += 1
        job = super().enqueue(*args, kinds=[kind.upper()], **kwargs)
        job.data = {'kinds': [kind.upper()]}
        job.save(update_fields=['data'])
        return job

    def run(self, kinds):
        self.job.data = {'ran': kinds}


class Attaching(JobRunner):
    """Finds out in its run what it is about."""

    def run(self, about):
        self.job.object_type = ContentType.objects.get_for_model(about)
        self.job.object_id, self.job.name = about.pk, 'about it'
        self.job.save(update_fields=['object_type', 'object_id', 'name'])


class Detailing(JobRunner):
    """Says more than its exception does."""

    def run(self, message, error='what went wrong, at length'):
        self.job.error = error
        raise JobFailed(message)


class Rearranging(JobRunner):
    """Enqueues the occurrence after itself, at another interval."""

    def run(self, to=None, **kwargs):
        if to:
            type(self).enqueue(interval=to)


def function_with_job_last(word, job, more=None):
    job.data = {'word': word, 'more': more}


def function_with_job_by_name(*, job, **kwargs):
    job.data = kwargs


def function_with_another_name(mine, **kwargs):
    mine.data = kwargs


class TakingAll(JobRunner):
    @classmethod
    def handle(cls, *args, **kwargs):
        kwargs['job'].data = 'seen'
        super().handle(*args, **kwargs)

    def run(self, word):
        self.job.data = [self.job.data, word]


class Moving(JobRunner):
    class Meta:
        name = 'Moving'

    def run(self, to=5, **kwargs):
        self.job.interval = to

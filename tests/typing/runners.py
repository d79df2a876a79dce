"""Runners as plugins write them."""

import logging
from datetime import datetime
from typing import Any, assert_type

from django.db.models import Model

from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import Job, JobRunner, system_job


class Sync(JobRunner):
    class Meta:
        name = 'Sync'
        queue = 'low'
        job_timeout = 60

    def run(self, word: str, times: int = 1) -> None:
        assert_type(self.job, Job)
        assert_type(self.logger, logging.Logger)
        for item in self.track([1, 2]):
            assert_type(item, int)
        self.job.data = {'word': word * times}
        self.job.interval = 5
        self.progress(1, 2, 'half')
        self.progress('1')  # type: ignore[arg-type]
        raise JobFailed('expected')


class Deeper(Sync):
    """A subclass of a subclass; its options derive from those of the other."""

    class Meta(Sync.Meta):
        name = 'Deeper'


class Deepest(Deeper):
    class Meta(Deeper.Meta):
        max_retries = 3
        retry_on = (ValueError, JobFailed)


class NoMeta(JobRunner):
    @property
    def job_timeout(self) -> int:
        return 60

    def run(self, *args: Any, **kwargs: Any) -> dict[str, int]:
        return {}


class Clashing(JobRunner):
    """Arguments that are named like options."""

    def run(self, name: str, user: int, interval: str, queue_name: bytes) -> None: ...


class Coroutine(JobRunner):
    async def run(self, word: str) -> None: ...


@system_job(interval=60)
class System(JobRunner):
    def run(self) -> None: ...


@system_job(cron='0 3 * * *', timezone='UTC')
class Nightly(JobRunner):
    def run(self) -> None: ...


assert_type(system_job(interval=1)(Sync), type[Sync])
assert_type(System.name, str)
system_job(interval='60')  # type: ignore[arg-type]
system_job(60)(int)  # type: ignore[type-var]


class Overriding(JobRunner):
    """Overrides what plugins override, with the signatures that they have in the wild."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.seen = 0

    @classmethod
    def handle(cls, job: Job, *args: Any, **kwargs: Any) -> None:
        super().handle(job, *args, **kwargs)

    @classmethod
    def enqueue(cls, *args: Any, **kwargs: Any) -> Job:
        kwargs.setdefault('queue_name', 'low')
        return super().enqueue(*args, **kwargs)

    @classmethod
    def enqueue_once(cls, *args: Any, **kwargs: Any) -> Job:
        return super().enqueue_once(*args, **kwargs)

    def run(self, *args: Any, **kwargs: Any) -> None: ...


class NamedParameters(JobRunner):
    """Overrides with the parameters of NetBox's page."""

    @classmethod
    def enqueue_once(
        cls,
        instance: Model | None = None,
        schedule_at: datetime | None = None,
        interval: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Job:
        return super().enqueue_once(instance, schedule_at, interval, *args, **kwargs)

    def run(self) -> None: ...

"""`JobRunner`: what the code of a background job is subclassed from."""

import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from operator import length_hint
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.db import models, transaction
from django.utils.functional import classproperty

from ..core import recurrence, runner_options, runs
from ..core.registry import system_jobs
from ..enqueue import batch, insert
from ..enqueue.request import EnqueueRequest, schedule_key
from ..enqueue.unique import find_place
from ..exceptions import JobCanceled
from ..models import Job, Schedule, database
from ..models.querysets import JobQuerySet
from .entry import attending
from .logs import runner_logger

T = TypeVar('T')


class JobRunner(ABC):
    """The code of one kind of background job: subclass it, name it in `Meta`, and implement `run()`.

    In `run()`, `self.job` is the job and `self.logger` writes to its log. What is set on `self.job.data`,
    `self.job.error` and `self.job.interval` is stored when the job ends, however it ends. Raise `JobFailed` for an
    expected failure; any other exception ends the job as errored. `run()` may be a coroutine function.

    `Meta` may hold:

    - `name`: for people; the name of the class if omitted.
    - `queue`, `job_timeout` (seconds): which a call's own arguments override.
    - `max_retries`, `retry_backoff` (seconds on which an exponential backoff with full jitter is based, 10 if omitted;
      or a list of seconds), `retry_on` (exception classes; `Exception` if omitted, `JobFailed` only if named): whether
      a job that fails is run again; a call's own arguments override them.
    - `on_crash` (`'error'` or `'retry'`), `max_crashes`: whether a job whose process dies is run again.
    - `stop_grace`: seconds between the request to stop a job and the end of its process; 0 if omitted, 5 for a
      coroutine function.

    Raises:
        ImproperlyConfigured: When the class is made: one of these is not acceptable.
    """

    class Meta:
        pass

    is_job_runner = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        runner_options.check(cls)

    def __init__(self, job: Job) -> None:
        """Args:
        job: The job that this object runs.
        """
        self.job = job
        self.logger: logging.Logger = runner_logger(type(self).__name__, job)

    @classproperty
    def name(cls) -> str:
        """The name for people: `Meta.name`, or the name of the class."""
        return str(getattr(cls.Meta, 'name', cls.__name__))  # type: ignore[attr-defined]

    @abstractmethod
    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Do the job; gets the arguments of the `enqueue()` call, and nothing else."""

    def progress(self, current: int, total: int | None = None, message: str = '') -> None:
        """Tell how far the run is: others see it within two seconds. As often as you like: one write a second is made.

        Args:
            current: Steps done.
            total: Steps in all, if that is known.
            message: What is being done, for people; 255 characters are kept.
        """
        if run := runs.run_of(self.job):
            run.progress(int(current), None if total is None else int(total), str(message))

    def track(self, items: Iterable[T], total: int | None = None, message: str = '') -> Iterator[T]:
        """Iterate over `items`, and tell the progress meanwhile: `for item in self.track(items): ...`

        Args:
            items: Anything that can be iterated, also a QuerySet.
            total: How many there are, if `len()` or `count()` of the items cannot tell.
            message: What is being done, for people.
        """
        if total is None:
            total = items.count() if isinstance(items, models.QuerySet) else length_hint(items, -1)
        known = total if total >= 0 else None
        self.progress(0, known, message)
        for done, item in enumerate(items, 1):
            yield item
            self.progress(done, known, message)

    def check_canceled(self) -> None:
        """Call it where the run can be left in order.

        Raises:
            JobCanceled: Somebody has stopped the job; let it pass, and clean up in `finally`.
        """
        if (run := runs.run_of(self.job)) and run.stopping:
            raise JobCanceled

    @classmethod
    def handle(cls, job: Job, *args: Any, **kwargs: Any) -> None:
        """Run a job and record how it ended; a worker calls it, and so may you, with a job of any status.

        Override it to wrap every run, and call `super().handle(job, *args, **kwargs)`. A periodic job's next
        occurrence is made with its end.
        """
        insert.adopt(job, _path(cls), kwargs)
        job.start()
        with attending(job) as run:
            try:
                job._kwargs = None if _is_same(kwargs, job._decoded) else kwargs
                with run.guarded():
                    run.complete(cls(job).run(*args, **kwargs))
                job.terminate()
            except Exception as error:
                run.end_with(error)

    @classmethod
    def get_jobs(cls, instance: models.Model | None = None) -> JobQuerySet:
        """All jobs of this runner, or those about `instance` (a saved model object).

        Rows that were made by hand, and are of no runner, count by their name.
        """
        jobs = Job.objects.filter(models.Q(runner=_path(cls)) | models.Q(runner='', name=cls.name))
        if instance is None:
            return jobs
        if instance.pk is None or instance._state.adding:
            return jobs.none()
        object_type, object_id, object_db = insert.identify_instance(instance)
        return jobs.filter(object_type=object_type, object_id=object_id, object_db=object_db)

    @classmethod
    def enqueue(cls, *args: Any, **kwargs: Any) -> Job:
        """Store a new job of this runner; takes the arguments of `Job.enqueue()` but for `func`.

        Override it to add to every call, and call `super().enqueue(*args, **kwargs)`: periodic jobs make their
        successors through it as well.
        """
        kwargs['name'] = kwargs.get('name') or cls.name
        return Job.enqueue(cls.handle, *args, **kwargs)

    @classmethod
    def enqueue_many(cls, calls: Iterable[Mapping[str, Any]], **common: Any) -> list[Job]:
        """Store many jobs of this runner in one transaction, for a fraction of what as many `enqueue()` cost.

        Either all are stored or none; workers get to know of them after the commit. Django's `pre_save` and `post_save`
        are not sent for them. A runner that overrides `enqueue()` gets each call by it, which takes as long as that.

        Args:
            calls: The keyword arguments of each `enqueue()`, for example `[{'instance': a}, {'instance': b}]`.
            **common: Arguments for all calls that do not give their own.

        Returns:
            The jobs, in the order of the calls.

        Raises:
            ValueError, TypeError: As `enqueue()`, before anything is written; a note says which call it is about.
        """
        given = batch.spread(calls, common)
        if _enqueues_plainly(cls):
            return batch.enqueue(batch.check(cls.handle, given))
        with transaction.atomic(using=database()):
            return [cls.enqueue(**call) for call in given]

    @classmethod
    def enqueue_once(
        cls,
        instance: models.Model | None = None,
        schedule_at: datetime | None = None,
        interval: int | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Job:
        """Keep this runner scheduled exactly once for `instance`, under any number of concurrent callers.

        A job that waits already is updated in place with what the call names; an omitted `schedule_at` or
        `interval` leaves it as it is. While one runs, what changes is arranged for the occurrence after it. Jobs
        made by `enqueue()` are neither touched nor counted.

        Args:
            instance: The saved object that the job is about; None for jobs about none.
            schedule_at: When to run it (aware with `USE_TZ`).
            interval: Minutes between occurrences.
            **kwargs: As for `enqueue()`.

        Returns:
            The job that waits, or the one that runs if nothing changes.
        """
        if kwargs.get('immediate'):
            raise ValueError('immediate and enqueue_once() exclude each other; use enqueue(immediate=True).')
        call, given = _check_once(cls, instance, schedule_at, interval, kwargs)
        with transaction.atomic(using=database()):
            found = find_place(call, given, final=_enqueues_plainly(cls))
            if isinstance(found, Job):
                return found
            when = found.schedule.recurrence
            if when.cron:
                kwargs |= {'cron': when.cron, 'timezone': when.time_zone}
            with runs.filling(found):
                return cls.enqueue(*args, instance=instance, schedule_at=schedule_at, interval=when.interval, **kwargs)

    @classmethod
    async def aenqueue(cls, *args: Any, **kwargs: Any) -> Job:
        """`enqueue()` for asynchronous code."""
        return await sync_to_async(cls.enqueue)(*args, **kwargs)

    @classmethod
    async def aenqueue_many(cls, *args: Any, **kwargs: Any) -> list[Job]:
        """`enqueue_many()` for asynchronous code."""
        return await sync_to_async(cls.enqueue_many)(*args, **kwargs)

    @classmethod
    async def aenqueue_once(cls, *args: Any, **kwargs: Any) -> Job:
        """`enqueue_once()` for asynchronous code."""
        return await sync_to_async(cls.enqueue_once)(*args, **kwargs)

    @classmethod
    def end_schedule(cls, instance: models.Model | None = None) -> bool:
        """End what `enqueue_once()` keeps scheduled for `instance`: the waiting job is deleted, a running one finishes.

        Returns:
            Whether there was something to end.
        """
        key = schedule_key(_path(cls), *insert.identify_instance(instance))
        schedule = Schedule.objects.using(database()).filter(key=key).first()
        if schedule is None:
            return False
        schedule.end()
        return True

    @classmethod
    def setup(cls, **kwargs: Any) -> None:
        """Have `enqueue_once(**kwargs)` called whenever a worker starts; meant for `AppConfig.ready()`.

        Touches neither the database nor Redis itself.

        Raises:
            ImproperlyConfigured: `interval` is given and is not a whole number of minutes from 1, or `cron` is given
                and cannot be read.
        """
        if kwargs.get('interval') is not None or kwargs.get('cron'):
            recurrence.check_registered(kwargs.get('interval'), kwargs.get('cron'), kwargs.get('timezone'))
        system_jobs[cls] = kwargs


def _is_same(kwargs: dict[str, Any], decoded: dict[str, Any] | None) -> bool:
    """Whether these are the very objects that were decoded; `run()` may change what is in them."""
    return (
        decoded is not None
        and kwargs.keys() == decoded.keys()
        and all(value is decoded[name] for name, value in kwargs.items())
    )


def _path(cls: type[JobRunner]) -> str:
    return f'{cls.__module__}.{cls.__qualname__}'


def _enqueues_plainly(cls: type[JobRunner]) -> bool:
    """Whether the runner leaves `enqueue()` as it is."""
    return cls.enqueue.__func__ is JobRunner.enqueue.__func__  # type: ignore[attr-defined]


def _check_once(
    cls: type[JobRunner],
    instance: models.Model | None,
    schedule_at: datetime | None,
    interval: int | None,
    kwargs: dict[str, Any],
) -> tuple[EnqueueRequest, set[str]]:
    """Check a call of `enqueue_once()`; returns it with what it names explicitly, which is what it may change."""
    parameters = set(inspect.signature(Job.enqueue).parameters) - {'func', 'kwargs'}
    own = {key: value for key, value in kwargs.items() if key in parameters}
    call = insert.check(
        cls.handle,
        instance=instance,
        name=own.get('name') or '',
        user=own.get('user'),
        schedule_at=schedule_at,
        interval=interval,
        immediate=False,
        queue_name=own.get('queue_name'),
        notifications=own.get('notifications'),
        kwargs={key: value for key, value in kwargs.items() if key not in parameters},
    )
    given = set(call.given)
    given |= {'name'} if own.get('name') else set()
    given |= {'schedule_at'} if schedule_at is not None else set()
    given |= {'interval', 'cron', 'time_zone'} if call.recurrence else set()
    return call, given

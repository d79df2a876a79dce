"""`JobRunner`: what the code of a background job is subclassed from."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from operator import length_hint
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Protocol, TypeVar, Unpack

from asgiref.sync import sync_to_async
from django.db import models
from django.utils.functional import classproperty

from ..core import home, recurrence, runner_options, runs
from ..core.contexts import current_tenant
from ..core.import_path import path_of
from ..core.options import OPTIONS, UNCHANGED, EnqueueOptions, Unchanged, check_arguments
from ..core.registry import system_jobs
from ..core.signatures import enqueue_once_signature, enqueue_signature, signed_like
from ..enqueue.batch import enqueue_all, spread
from ..enqueue.identify import identify_instance, is_unsaved
from ..enqueue.rows import adopt
from ..enqueue.unsaved import call_transaction, job_ids_of, key_for
from ..exceptions import JobCanceled
from ..models import Job, Schedule, database
from ..models.querysets import JobQuerySet
from .entry import attending
from .once import enqueue_once
from .rates import Rates
from .runner_logger import runner_logger
from .steps import Steps
from .using import Using

T = TypeVar('T')
P = ParamSpec('P')


class HasRun(Protocol[P]):
    """A runner, by the parameters of its `run()`; for type checkers."""

    def run(self, *args: P.args, **kwargs: P.kwargs) -> Any: ...


class JobRunner(Steps, Rates, ABC):
    """The code of one kind of background job: subclass it, name it in `Meta`, and implement `run()`.

    In `run()`, `self.job` is the job and `self.logger` writes to its log. What `run()` sets on `self.job.data`,
    `self.job.error` and `self.job.interval` is stored when the job ends, however it ends. Raise `JobFailed` for an
    expected failure; any other exception ends the job as errored. `run()` may be a coroutine function.

    `Meta` may hold:

    - `name`: for people, instead of the class's. `queue`, `job_timeout` (seconds): defaults of the call's options.
    - `max_retries`, `retry_backoff` (seconds on which an exponential backoff with full jitter is based, 10 if omitted;
      or a list of seconds), `retry_on` (exception classes; `Exception` if omitted, `JobFailed` only if named): whether
      and when a failed attempt is retried; the call's options override them.
    - `on_crash` (`'error'` or `'retry'`), `max_crashes`: whether a job whose process dies is run again.
    - `concurrency` or `limit` (a `Limit`): how many of its jobs run at once; `rate` (a `Rate`): how many begin;
      `priority` (0 to 9) and `fair_by` (the name of an argument): which of its jobs come first in their queue.
    - `unique` (a `Unique`), `throttle` or `debounce`: which jobs count as the same, of which `enqueue()` stores one.
    - `version`: of its steps, sleeps and waits: a job does not continue in the code of another version.
    - `log_level`: the least level of the lines that the job's log keeps, such as 'INFO'; all if omitted.
    - `sensitive`: names of arguments whose values are shown nowhere; `encrypted`: True to encrypt arguments and data.
    - `api`: True if users may enqueue its jobs through the REST API.
    - `stop_grace`: seconds from the request to stop a job to the end of its process: 0, or 5 for a coroutine function.

    Raises:
        ImproperlyConfigured: When the class is made: a value in `Meta` is not acceptable.
    """

    if TYPE_CHECKING:
        Meta: Any  # any class, so that a subclass need not inherit from this one's
    else:

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
        self.logger: logging.Logger = runner_logger(type(self), job)

    @classproperty
    def name(cls) -> str:
        """The name for people: `Meta.name`, or the name of the class."""
        return str(getattr(cls.Meta, 'name', cls.__name__))  # type: ignore[attr-defined]

    @abstractmethod
    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Do the job; receives the arguments of the `enqueue()` call, and nothing else."""

    def progress(self, current: int, total: int | None = None, message: str = '') -> None:
        """Report how far the run is: others see it within two seconds. Call it often: it writes once a second at most.

        Args:
            current: Steps done.
            total: Steps in all, if that is known.
            message: What is being done, for people; 255 characters are kept.
        """
        if run := runs.run_of(self.job):
            run.progress(int(current), None if total is None else int(total), str(message))

    def track(self, items: Iterable[T], total: int | None = None, message: str = '') -> Iterator[T]:
        """Iterate over `items`, and report the progress meanwhile: `for item in self.track(items): ...`

        Args:
            items: Anything that can be iterated, also a QuerySet.
            total: How many there are, if neither `len()` nor `count()` of the items says so.
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
        """Leave `run()` here if a stop was requested; call it where that can be done in order.

        Raises:
            JobCanceled: A stop was requested. Do not catch it; clean up in `finally`.
        """
        if (run := runs.run_of(self.job)) and run.stopping:
            raise JobCanceled

    @classmethod
    def overrides(cls, name: str) -> bool:
        """Return whether the runner has a class method of this name that is not that of `JobRunner`."""
        return getattr(cls, name).__func__ is not vars(JobRunner)[name].__func__

    @classmethod
    def handle(cls, job: Job, *args: Any, **kwargs: Any) -> None:
        """Run a job and record how it ended. Workers call it; so can your code, with a job of any status.

        Override it to wrap every run, and call `super().handle(job, *args, **kwargs)`. The successor of a periodic job
        is made with its end.
        """
        adopt(job, cls, kwargs)
        job.start()
        with attending(job) as run:
            try:
                run.note_arguments(cls, kwargs)
                with run.guarded():
                    run.within_middleware(lambda: cls(job).run(*args, **kwargs))
                run.over = not cls.overrides('handle')
                job.terminate()
            except Exception as error:
                run.end_with(error)

    @classmethod
    def get_jobs(cls, instance: models.Model | None = None) -> JobQuerySet[Job]:
        """Return all jobs of this runner, or those about `instance`.

        Rows that were made by hand, and that no runner has handled, count by their name.
        """
        jobs = Job.objects.filter(models.Q(runner=path_of(cls)) | models.Q(runner='', name=cls.name))
        if (instance := home.unwrapped(instance)) is None:
            return jobs
        if is_unsaved(instance):
            return jobs.filter(job_id__in=job_ids_of(instance))
        object_type, object_id, object_db = identify_instance(instance)
        about = {'object_type': object_type, 'object_id': object_id, 'object_db': object_db}
        return jobs.filter(**about, tenant=current_tenant())

    @classmethod
    @signed_like(enqueue_signature)
    def enqueue(cls, *args: Any, **kwargs: Any) -> Job:
        """Store a new job of this runner in the caller's transaction. A worker receives it after the commit.

        Override it to add to every call, and call `super().enqueue(*args, **kwargs)`: the successors of periodic jobs
        are made through it as well.

        Returns:
            The job: stored, or with `immediate` ended.

        Raises:
            ValueError: An option is not acceptable; nothing was written.
            TypeError: An argument cannot be stored, or `run()` does not take it; nothing was written.
        """
        kwargs['name'] = kwargs.get('name') or cls.name
        return Job.enqueue(cls.handle, *args, **kwargs)

    @classmethod
    def enqueue_many(cls, calls: Iterable[Mapping[str, Any]], **common: Any) -> list[Job]:
        """Store many jobs of this runner in one transaction, for a fraction of what as many `enqueue()` cost.

        Either all are stored or none; workers receive them after the commit. Django's `pre_save` and `post_save` are
        not sent for them. A runner that overrides `enqueue()` receives each call there, which takes as long as that.

        Args:
            calls: The keywords of each `enqueue()`, for example `[{'instance': a}, {'instance': b}]`.
            **common: Keywords for all calls that do not give their own.

        Returns:
            The jobs, in the order of the calls.

        Raises:
            ValueError, TypeError: As `enqueue()`, before anything is written; a note says which call it is about.
        """
        given = spread(calls, common)
        if not cls.overrides('enqueue'):
            return enqueue_all(cls, given)
        with call_transaction():
            return [cls.enqueue(**call) for call in given]

    @classmethod
    @signed_like(enqueue_once_signature)
    def enqueue_once(
        cls,
        instance: models.Model | None = None,
        schedule_at: datetime | None = None,
        interval: int | Literal[Unchanged.UNCHANGED] | None = UNCHANGED,
        *args: Any,
        **kwargs: Any,
    ) -> Job:
        """Keep this runner scheduled exactly once for `instance`, under any number of concurrent callers.

        A waiting job is updated in place with what the call names; what it omits stays as it is. While a job runs, the
        changes are made to the occurrence after it. Jobs that `enqueue()` made are neither touched nor counted.

        An `interval` of None means: run once more, and recur no longer. (Omitted: as it is.)

        Returns:
            The job that waits, or the one that runs if nothing changes.

        Raises:
            ValueError, TypeError: As `enqueue()`, before anything is written.
        """
        given = {'instance': instance, 'schedule_at': schedule_at, 'interval': interval}
        return enqueue_once(cls, args, {**given, **kwargs})

    @classmethod
    def using(cls: 'type[HasRun[P]]', **options: Unpack[EnqueueOptions]) -> Using[P]:
        """Set the options of a call apart from the arguments of `run()`, which may have the same names.

        `SyncJob.using(queue_name='low', schedule_at=tonight).enqueue(name='x')` passes `name` to `run()`.

        Raises:
            TypeError: There is no such option; the message names the nearest one.
        """
        return Using(cls, dict(options))

    @classmethod
    @signed_like(enqueue_signature)
    async def aenqueue(cls, *args: Any, **kwargs: Any) -> Job:
        """Call `enqueue()` from asynchronous code."""
        return await sync_to_async(cls.enqueue)(*args, **kwargs)

    @classmethod
    async def aenqueue_many(cls, calls: Iterable[Mapping[str, Any]], **common: Any) -> list[Job]:
        """Call `enqueue_many()` from asynchronous code."""
        return await sync_to_async(cls.enqueue_many)(calls, **common)

    @classmethod
    @signed_like(enqueue_once_signature)
    async def aenqueue_once(cls, *args: Any, **kwargs: Any) -> Job:
        """Call `enqueue_once()` from asynchronous code."""
        return await sync_to_async(cls.enqueue_once)(*args, **kwargs)

    @classmethod
    def end_schedule(cls, instance: models.Model | None = None) -> bool:
        """End what `enqueue_once()` keeps scheduled for `instance`: the waiting job is deleted, a running one finishes.

        Returns:
            Whether there was something to end.
        """
        key = key_for(path_of(cls), instance)
        schedule = Schedule.objects.using(database()).filter(key=key).first()
        if schedule is None:
            return False
        schedule.end()
        return True

    @classmethod
    @signed_like(enqueue_once_signature)
    def setup(cls, **kwargs: Any) -> None:
        """Call `enqueue_once(**kwargs)` whenever a worker starts; meant for `AppConfig.ready()`.

        Touches neither the database nor Redis itself.

        Raises:
            ImproperlyConfigured: `interval` is given and is not a whole number of minutes from 1, or `cron` is given
                and cannot be read.
            TypeError: A keyword is neither an option nor an argument of `run()`.
        """
        if not cls.overrides('handle') and not cls.overrides('enqueue') and not cls.overrides('enqueue_once'):
            check_arguments(f'{cls.__name__}.setup()', cls.run, kwargs.keys() - OPTIONS)
        if kwargs.get('interval') is not None or kwargs.get('cron'):
            recurrence.check_registered(kwargs.get('interval'), kwargs.get('cron'), kwargs.get('timezone'))
        system_jobs[cls] = kwargs

"""What can be done with a job: enqueue, start, end, cancel, stop and retry it. Each is one call of a service."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar, Self
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db.models import Model

from ..choices import JobStatusChoices
from ..core import arguments, clock, contexts, transactions
from ..exceptions import ArgumentsRefused
from . import services
from .progress import Progress
from .queues import PausedQueue


class JobActions:
    """The part of a job that acts on it, and says how far it is."""

    pk: Any
    name: str
    runner: str
    status: str
    due: Any
    schedule_id: Any
    queue_name: str
    job_id: UUID
    arguments: Any
    arguments_format: str
    arguments_signature: str
    context: Any
    _state: Any
    _base_manager: ClassVar[Any]

    @classmethod
    def enqueue(
        cls,
        func: Callable[..., Any],
        instance: Model | None = None,
        name: str = '',
        user: Any = None,
        schedule_at: datetime | None = None,
        interval: int | None = None,
        immediate: bool = False,
        queue_name: str | None = None,
        notifications: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Store a job in the caller's transaction. A worker receives it after the commit, and never before.

        Args:
            func: A runner's `handle`, or a function `f(job, **kwargs)` at the top level of a module.
            instance: The object that the job is about. One that is not saved yet is bound when it is saved.
            name: At most 200 characters; the function's name if omitted.
            user: The user that the job is done for.
            schedule_at: When to run it (aware with `USE_TZ`); now if omitted.
            interval: Minutes until the next occurrence, which is made when this one has ended.
            immediate: Run it in this process before returning; meant for commands and tests.
            queue_name: A queue of `RQ_QUEUES` or of a plugin; `default` if omitted.
            notifications: When to notify the user of the end; always if omitted.
            **kwargs: The other options, see `netbox_jobs.jobs.EnqueueOptions`; the rest is passed to `func`.

        Returns:
            The job: stored, or with `immediate` ended. What a run enqueues with an interval for its own runner and
            instance is the successor of its periodic job, of which there is exactly one.

        Raises:
            ValueError: A value is not acceptable (queue, interval, naive datetime...).
            TypeError: An argument cannot be stored, `run()` does not take it, or a worker could not call `func`.
        """
        given = {'instance': instance, 'name': name, 'user': user, 'schedule_at': schedule_at, 'interval': interval}
        given |= {'immediate': immediate, 'queue_name': queue_name, 'notifications': notifications}
        made: Self = services.enqueue(func, {**given, **kwargs})
        return made

    def start(self) -> None:
        """Claim the job for the calling code and mark it running; do nothing if this object has the claim already.

        Raises:
            AlreadyClaimed: Another worker runs it right now.
        """
        services.start(self)

    def terminate(self, status: str = JobStatusChoices.STATUS_COMPLETED, error: str | None = None) -> None:
        """End the job: record `status`, and with it `data`, `error` and `interval` as this object has them.

        A periodic job's successor is made in the same transaction. The first end stands: a later one, or that of
        a worker that has lost its claim, changes nothing.

        Args:
            status: One of `JobStatusChoices.TERMINAL_STATE_CHOICES`.
            error: What went wrong; None leaves `job.error` as it is.

        Raises:
            ValueError: `status` is not a terminal one.
        """
        if status not in JobStatusChoices.TERMINAL_STATE_CHOICES:
            raise ValueError(
                f'{status!r} does not end a job; expected one of {", ".join(JobStatusChoices.TERMINAL_STATE_CHOICES)}.'
            )
        services.finish(self, status, error)

    def cancel(self, *, user: Any = None) -> bool:
        """Cancel the job if it waits: it ends as *canceled* and never runs. A periodic one skips this occurrence.

        Args:
            user: The user who cancels it, for the audit trail.

        Returns:
            Whether this call canceled it; False if it runs (see `stop()`) or has ended.
        """
        canceled: bool = services.act('cancel', self, lambda: services.cancel(self), user)
        return canceled

    def stop(self, *, user: Any = None) -> bool:
        """Stop the job if it runs, or cancel it if it waits; it ends as *canceled*, with all processes it started.

        `run()` receives the request at once (see `JobRunner.check_canceled()`), and its processes are killed when the
        `Meta.stop_grace` of its runner is over. If the transaction of this call rolls back, nothing happens. A
        periodic job still gets its next occurrence; `job.schedule.end()` ends them all.

        Args:
            user: The user who stops it, for the audit trail.

        Returns:
            Whether this call requested the stop; False if an earlier one did, or the job has ended.
        """
        stopped: bool = services.act('stop', self, lambda: services.stop(self), user)
        return stopped

    def retry(self, *, user: Any = None) -> Self:
        """Enqueue a new job with the arguments of this one, which has ended; its `retry_of` is this one.

        The new job runs once, also if this one was an occurrence of a periodic job.

        Args:
            user: The user who retries it, for the audit trail. The user of the new job is that of this one.

        Raises:
            ValueError: This job has not ended.
            ArgumentsRefused, InstanceGone, RunnerNotFound: It cannot be enqueued as it was.
        """
        if self.status not in JobStatusChoices.TERMINAL_STATE_CHOICES:
            raise ValueError(f'Job {self.pk} ({self.name}) is {self.status}; only a job that has ended can be retried.')
        new: Self = services.act('retry', self, lambda: services.retry(self), user)
        return new

    def signal(self, name: str, payload: Any = None) -> None:
        """Send a signal to the job, which receives it in `run()` with `self.wait_for(name)`.

        It is stored in the caller's transaction, and received within two seconds after the commit if the job waits for
        it; later, if it does not wait for it yet. Each signal is received once: of several of one name, each
        `wait_for()` takes the first one that no other has taken.

        Args:
            name: Of the signal, at most 200 characters.
            payload: What `wait_for()` returns: anything that an argument of a job can be.

        Raises:
            JobEnded: The job has ended.
            Job.DoesNotExist: Its row has been deleted.
            TypeError: The payload cannot be stored.
        """
        services.signal(self, name, payload)

    async def asignal(self, name: str, payload: Any = None) -> None:
        """Call `signal()` from asynchronous code."""
        await sync_to_async(self.signal)(name, payload)

    def delete(self, *args: Any, user: Any = None, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete the job and its log: a waiting one never runs, a running one is stopped, and a chain of jobs ends.

        Args:
            *args: Those of Django's `delete()`.
            user: The user who deletes it, for the audit trail.
            **kwargs: Those of Django's `delete()`.
        """
        delete, using = super().delete, kwargs.get('using') or self._state.db  # type: ignore[misc]

        def delete_once() -> Any:  # a conflict with what others do to the job meanwhile is tried again
            return transactions.retried(lambda: delete(*args, **kwargs), using)

        deleted: tuple[int, dict[str, int]] = services.act('delete', self, delete_once, user)
        return deleted

    for _action in (start, terminate, cancel, stop, retry, delete, signal):
        vars(_action)['alters_data'] = True  # templates do not call it
    del _action

    def get_arguments(self) -> dict[str, Any]:
        """Return the decoded arguments that `run()` receives.

        Raises:
            ArgumentsRefused: They do not carry our signature.
            InstanceGone: An object among them no longer exists.
        """
        if not self.runner:
            return {}  # a row made by hand that no runner has handled
        return arguments.decode(
            self.arguments_format,
            bytes(self.arguments),
            self.arguments_signature,
            self.job_id,
            self.runner,
            contexts.signed_text(self.context),
        )

    @property
    def is_signed(self) -> bool:
        """Whether the row carries our signature of its code, its arguments and its context; else it is not run."""
        signed = bytes(self.arguments), self.arguments_signature, self.job_id, self.runner
        try:
            arguments.verify(self.arguments_format, *signed, contexts.signed_text(self.context))
        except ArgumentsRefused:
            return False
        return True

    @property
    def paused_by(self) -> str:
        """What keeps the job from being delivered: 'schedule' or 'queue', if that is paused; else empty."""
        if self.status not in JobStatusChoices.WAITING_STATE_CHOICES or self.due is None:
            return ''
        using = self._state.db
        rows = type(self)._base_manager.using(using).filter(pk=self.pk, schedule__paused=True)
        if self.schedule_id and rows.exists():
            return 'schedule'
        overdue = self.due <= clock.now_ms()
        return 'queue' if overdue and PausedQueue.objects.using(using).filter(name=self.queue_name).exists() else ''

    @property
    def progress(self) -> Progress | None:
        """How far the latest run has come, read from the database; None if it has reported nothing."""
        return Progress.objects.using(self._state.db).filter(job_id=self.pk).first()

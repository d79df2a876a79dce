"""Steering a job from outside: cancel, stop, retry; and seeing how far it is."""

from typing import TYPE_CHECKING, Any

from ..choices import JobStatusChoices
from ..core import clock
from .progress import Progress
from .queues import PausedQueue
from .schedules import Schedule

if TYPE_CHECKING:
    from .jobs import Job


class Steerable:
    """The part of a job that is steered and watched from outside."""

    pk: Any
    name: str
    status: str
    due: Any
    schedule_id: Any
    queue_name: str
    _state: Any

    def cancel(self) -> bool:
        """Cancel the job if it waits: it ends as *canceled* and never runs. A periodic one skips this occurrence.

        Returns:
            Whether it was canceled by this call; False if it runs (see `stop()`) or has ended.
        """
        from .. import lifecycle

        return lifecycle.cancel(self)  # type: ignore[arg-type]

    cancel.alters_data = True  # type: ignore[attr-defined]

    def stop(self) -> bool:
        """Stop the job if it runs, or cancel it if it waits; it ends as *canceled*, with all it has started.

        `run()` is told at once (see `JobRunner.check_canceled()`), and its processes are killed when the
        `Meta.stop_grace` of its runner is over; if the transaction of this call rolls back, nothing happens. A
        periodic job still gets its next occurrence; `job.schedule.end()` ends them.

        Returns:
            Whether this call has asked for the end; False if that had been asked for before, or it has ended.
        """
        from .. import lifecycle

        return lifecycle.request_stop(self)  # type: ignore[arg-type]

    stop.alters_data = True  # type: ignore[attr-defined]

    def retry(self) -> 'Job':
        """Enqueue a new job with the arguments of this one, which has ended; its `retry_of` is this one.

        The new job runs once, also where this one was an occurrence of a periodic job.

        Raises:
            ValueError: This job has not ended.
            ArgumentsRefused, InstanceGone, RunnerNotFound: It cannot be enqueued as it was.
        """
        from ..enqueue import insert

        if self.status not in JobStatusChoices.TERMINAL_STATE_CHOICES:
            raise ValueError(f'Job {self.pk} ({self.name}) is {self.status}; only a job that has ended can be retried.')
        return insert.again(self)  # type: ignore[arg-type]

    retry.alters_data = True  # type: ignore[attr-defined]

    @property
    def paused_by(self) -> str:
        """What keeps the job from being handed over: 'schedule' or 'queue', whichever is paused; else empty."""
        if self.status not in JobStatusChoices.WAITING_STATE_CHOICES or self.due is None:
            return ''
        using = self._state.db
        if self.schedule_id and Schedule.objects.using(using).filter(pk=self.schedule_id, paused=True).exists():
            return 'schedule'
        overdue = self.due <= clock.now_ms()
        return 'queue' if overdue and PausedQueue.objects.using(using).filter(name=self.queue_name).exists() else ''

    @property
    def progress(self) -> Progress | None:
        """How far the latest run has come, read anew; None if it has not told."""
        return Progress.objects.using(self._state.db).filter(job_id=self.pk).first()

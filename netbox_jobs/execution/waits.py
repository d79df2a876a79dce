"""`self.sleep()` and `self.wait_for()`: a run ends there, and continues later, in a run of its own."""

from datetime import datetime, timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.utils import timezone

from ..core import clock, runner_options, runs
from ..core.suspension import SLEEP, WAIT, Suspended, Suspension
from ..core.text import check_name
from ..exceptions import SignalTimeout
from ..lifecycle import job_signals, steps, suspend
from ..models import Job, JobStep
from .results import KeepsResults


class Waits(KeepsResults):
    """The part of a runner that sleeps, and waits for signals."""

    job: Job

    def sleep(
        self,
        length: timedelta | None = None,
        *,
        name: str = '',
        weeks: float = 0,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
    ) -> None:
        """Sleep without keeping a worker: `self.sleep(hours=3)`. `run()` ends here, and is called again at that time.

        What is to happen once belongs into a step: finished steps are not run again, and a sleep that is over returns
        at once. The n-th sleep of a run (of this name) is the same as the n-th one of the run before.

        Args:
            length: How long; or its parts. Not longer than zero: returns at once.
            name: What distinguishes this sleep from others, if their order may differ from run to run.
            weeks: With the others, the parts of the length.
            days: See `weeks`.
            hours: See `weeks`.
            minutes: See `weeks`.
            seconds: See `weeks`.

        Raises:
            ValueError: The length or the name is not acceptable.
            TypeError: The arguments of an immediate job cannot be stored, so that no worker could continue it.
            StepsChanged: The job has steps of another `Meta.version`.
        """
        pause = self._sleep(length, name, timedelta(0, seconds, 0, 0, minutes, hours + 24 * days, weeks))
        if pause is not None:
            pause[0].suspend(pause[1])

    async def asleep(self, length: timedelta | None = None, *, name: str = '', **parts: float) -> None:
        """Sleep in a coroutine: `await self.asleep(hours=3)`; see `sleep()`."""
        pause = await sync_to_async(self._sleep)(length, name, timedelta(**parts))
        if pause is not None:
            pause[0].suspend(pause[1])

    def wait_for(self, name: str, timeout: timedelta | None = None) -> Any:
        """Wait for a signal without keeping a worker, and return its payload: `self.wait_for('approved')`.

        As with `sleep()`, `run()` ends here unless the signal has come, and is called again when it comes.
        `job.signal()` sends it, also before the job waits. Of several signals of one name, each wait takes the first
        one that no other has taken. A later attempt returns the same payload.

        Args:
            name: Of the signal.
            timeout: How long to wait, from the first time that the job waits here; without end if omitted.

        Raises:
            SignalTimeout: The time is over; later attempts raise it as well.
            ValueError: The name or the timeout is not acceptable.
            AlreadyClaimed: Another worker runs the job by now, or recovery has ended it.
            RuntimeError: A test calls `run()` of a runner that has no job.
            TypeError, StepsChanged: See `sleep()`.
        """
        run, wait, row = self._wait_for(name, timeout)
        if row is None:
            run.suspend(wait)
        return _payload(run.job, row)

    async def await_for(self, name: str, timeout: timedelta | None = None) -> Any:
        """Wait for a signal in a coroutine: `await self.await_for('approved')`; see `wait_for()`."""
        run, wait, row = await sync_to_async(self._wait_for)(name, timeout)
        if row is None:
            run.suspend(wait)
        return await sync_to_async(_payload)(run.job, row)

    def _sleep(self, length: timedelta | None, name: str, parts: timedelta) -> tuple[runs.Run, Suspension] | None:
        if name:
            name = check_name('sleep', name)
        if length is not None and not isinstance(length, timedelta):
            raise ValueError(f'The length of a sleep is {length!r}; expected a timedelta, or hours=3 and the like.')
        until = _until('The length of a sleep', (length or timedelta()) + parts)
        run = begin(self)
        if run is None:
            return None
        pause = _next(self, run, SLEEP, name, until)
        row = steps.find_key(run.job, pause.key)
        if row is not None and row.completed is not None:  # also if the clock of this host is behind that of another
            return None
        if row is not None and row.until is not None:
            pause = _continued(pause, row)
        if pause.until is not None and pause.until > clock.now_ms():
            return run, pause
        if row is not None:
            run.persist(lambda: suspend.finish_sleep(row))
        return None

    def _wait_for(self, name: str, timeout: timedelta | None) -> tuple[runs.Run, Suspension, JobStep | None]:
        name = check_name('signal', name)
        if timeout is not None and not isinstance(timeout, timedelta):
            raise ValueError(f'The timeout of a wait is {timeout!r}; expected a timedelta, or None.')
        until = None if timeout is None else _until('The timeout of a wait', timeout)
        run = begin(self)
        if run is None:
            raise RuntimeError(f'wait_for({name!r}) was called without a job, which no signal can be sent to.')
        wait = _next(self, run, WAIT, name, until)
        row = steps.find_key(run.job, wait.key)
        if row is not None and row.completed is None:
            wait, row = _continued(wait, row), None
        if row is None:
            row = run.persist(lambda: job_signals.receive(run.job, run.job.claim, wait))
        return run, wait, row


def begin(runner: Any) -> runs.Run | None:
    """Return the run that a step, a sleep or a wait belongs to; None where a test calls `run()` of a runner itself.

    Raises:
        Suspended: The run has been left already, and the code has caught that.
        StepsChanged: The job has steps of another `Meta.version`.
    """
    run = runs.run_of(runner.job)
    if run is None:
        return None
    if run.suspension is not None:
        raise Suspended
    version = runner_options.version(type(runner))
    if version and not run.steps and not run.pauses:
        steps.check_version(run.job, version)
    return run


def _next(runner: Any, run: runs.Run, kind: str, name: str, until: int | None) -> Suspension:
    """Return the next sleep or wait of this name in a run."""
    if not run.job.arguments_signature:
        raise TypeError(
            f'Job {run.job.pk} ({run.job.name}) runs with arguments that cannot be stored, so no worker could '
            'continue it after a sleep or a wait.'
        )
    run.pauses[kind, name] += 1
    version = runner_options.version(type(runner))
    return Suspension(kind, name, run.pauses[kind, name], timezone.now(), until, version)


def _continued(pause: Suspension, row: JobStep) -> Suspension:
    """Return a sleep or a wait as it was begun by an earlier run."""
    return Suspension(pause.kind, pause.name, pause.number, row.started, row.until, pause.version)


def _until(what: str, length: timedelta) -> int:
    try:
        moment: datetime = clock.to_utc(timezone.now()) + length
    except OverflowError:
        moment = datetime.max
    if moment.year > clock.LAST_YEAR:
        raise ValueError(f'{what} is {length}; expected a moment up to the year {clock.LAST_YEAR}.')
    return clock.to_ms(moment)


def _payload(job: Job, row: JobStep) -> Any:
    if row.timed_out:
        raise SignalTimeout(f'Job {job.pk} ({job.name}) has received no signal {row.name!r} in time.')
    return steps.result_of(job, row)

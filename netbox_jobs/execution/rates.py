"""`self.rate()`: how often runs call an API, counted over all workers."""

import asyncio
import logging
import time
from collections.abc import Iterator
from threading import Thread
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections

from ..core import rates, runs
from ..core.limits import Allowance
from ..exceptions import JobCanceled, RateExceeded
from ..lifecycle import admission
from ..models import Job, database

#: So many seconds are slept at a time; between two of them, a stop is noticed.
_SLICE = 0.5


class CallRate:
    """A rate of the settings, as `self.rate('api')` gives it."""

    def __init__(self, job: Job, logger: logging.Logger, name: str, key: Any) -> None:
        """Args:
        job: The job whose run calls.
        logger: Its log.
        name: The name of the rate in the settings.
        key: Each value counts alone.
        """
        self._job, self._logger, self._shown = job, logger, name if key is None else f'{name} {key}'
        self._name, self._allowed = rates.configured_name(name, key), rates.configured(name)

    def acquire(self, timeout: float | None = None) -> None:
        """Wait until one more call may be made. Call it right before each call.

        Over all workers, no more calls are let through within the time of the rate than it allows, also after crashes:
        a call that was let through counts, whatever becomes of it and of the transaction that `run()` has open.

        Args:
            timeout: Seconds to wait at most; without one, the time limit of the job is the only one.

        Raises:
            RateExceeded: There is no room within this time. It is raised at once, without the wait.
            JobCanceled: A stop of the job was requested meanwhile. Do not catch it.
        """
        for seconds in self._waits(timeout):
            time.sleep(seconds)

    async def aacquire(self, timeout: float | None = None) -> None:
        """Wait in a coroutine: `await self.rate('api').aacquire()`; see `acquire()`."""
        waits = self._waits(timeout)
        while (seconds := await sync_to_async(_next)(waits)) is not None:
            await asyncio.sleep(seconds)

    def _waits(self, timeout: float | None) -> Iterator[float]:
        """Yield the times to sleep, until a call may be made."""
        run, told = runs.run_of(self._job), False
        if run is None:  # a test calls `run()` of a runner itself
            return
        deadline = None if timeout is None else time.monotonic() + timeout
        while wait := self._take(run):
            until = time.monotonic() + wait
            if deadline is not None and until > deadline:
                raise RateExceeded(
                    f'The rate {self._shown} has no room for the next {wait:.1f} seconds, and the timeout is {timeout}.'
                )
            if not told:
                self._logger.info('Waiting %.1f seconds for the rate %s', wait, self._shown)
            told = True
            while (left := until - time.monotonic()) > 0:
                yield min(left, _SLICE)
                if run.stopping:
                    raise JobCanceled

    def _take(self, run: runs.Run) -> float:
        """Return 0 if a call may be made; else after how many seconds to try again."""
        using = self._job._state.db or database()
        connection = connections[using]
        # What `run()` rolls back later must not take back a call that was made. SQLite has one writer, which is this
        # transaction.
        if connection.in_atomic_block and run.owns_connection and connection.vendor != 'sqlite':
            return _on_another_connection(self._name, self._allowed, self._job.pk, using)
        return admission.take(self._name, self._allowed, self._job.pk, using) / 1000


def _next(waits: Iterator[float]) -> float | None:
    return next(waits, None)


def _on_another_connection(name: str, allowed: Allowance, job_id: int, using: str) -> float:
    found: list[int] = []
    failure: list[BaseException] = []

    def take() -> None:
        try:
            found.append(admission.take(name, allowed, job_id, using))
        except BaseException as error:
            failure.append(error)
        finally:
            connections.close_all()

    thread = Thread(target=take, name=f'rate of job {job_id}')
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return found[0] / 1000


class Rates:
    """The part of a runner that keeps to rates."""

    job: Job
    logger: logging.Logger

    def rate(self, name: str, key: Any = None) -> CallRate:
        """Return a rate of `NETBOX_JOBS['RATES']`: `self.rate('api').acquire()` waits until one more call may be made.

        Args:
            name: Its name.
            key: Each value counts alone, such as the name of a server or a tenant.

        Raises:
            ImproperlyConfigured: There is no such rate.
        """
        return CallRate(self.job, self.logger, name, key)

"""The clock of the test's process, moved to where a job is due."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from ..core import clock

start: Callable[[float], Callable[[], None]] | None
try:
    from .machine import start
except ModuleNotFoundError as error:
    if error.name != 'time_machine':
        raise
    start = None


def limit_of(until: datetime | timedelta | None) -> int | None:
    """Return until when jobs are run, in milliseconds since the epoch; None for what is due by itself.

    Raises:
        ValueError: It is no datetime, or a naive one in a project with `USE_TZ`.
        ImproperlyConfigured: time-machine is not installed.
    """
    if until is None:
        return None
    if start is None:
        raise ImproperlyConfigured(
            'run_jobs(until=...) moves the clock with the package time-machine, which is not installed: '
            'pip install "netbox-jobs[pytest]", or time-machine alone.'
        )
    moment = clock.check('until', timezone.now() + until if isinstance(until, timedelta) else until)
    assert moment is not None
    return clock.to_ms(moment)


class Clock:
    """Moves the clock, and sets it right again at the end."""

    def __init__(self) -> None:
        self._stop: Callable[[], None] | None = None

    def move(self, moment: int) -> None:
        """Go to a moment, in milliseconds since the epoch; from there, time passes as ever.

        Raises:
            RuntimeError: Something else keeps the clock.
        """
        assert start is not None, 'limit_of() has checked it'
        self.close()
        self._stop = start((moment + 1) / 1000)  # as a float may be a little less
        if clock.now_ms() < moment:
            self.close()
            raise RuntimeError(
                'run_jobs(until=...) cannot move the clock: another library, such as freezegun, has frozen it. Move it '
                'with that, and call run_jobs() without until.'
            )

    def close(self) -> None:
        """Return to the time before."""
        stop, self._stop = self._stop, None
        if stop is not None:
            stop()

"""The clock of the test's process, moved to where a job is due."""

from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from ..core import clock

time_machine: Any
try:
    import time_machine
except ImportError:  # an extra
    time_machine = None


def limit_of(until: datetime | timedelta | None) -> int | None:
    """Return until when jobs are run, in milliseconds since the epoch; None for what is due by itself.

    Raises:
        ValueError: It is no datetime, or a naive one in a project with `USE_TZ`.
        ImproperlyConfigured: time-machine is not installed.
    """
    if until is None:
        return None
    if time_machine is None:
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
        self._travel: Any = None

    def move(self, moment: int) -> None:
        """Go to a moment, in milliseconds since the epoch; from there, time passes as ever.

        Raises:
            RuntimeError: Something else keeps the clock.
        """
        self.close()
        self._travel = time_machine.travel((moment + 1) / 1000, tick=True)  # as a float may be a little less
        self._travel.start()
        if clock.now_ms() < moment:
            self.close()
            raise RuntimeError(
                'run_jobs(until=...) cannot move the clock: another library, such as freezegun, has frozen it. Move it '
                'with that, and call run_jobs() without until.'
            )

    def close(self) -> None:
        """Return to the time before."""
        travel, self._travel = self._travel, None
        if travel is not None:
            travel.stop()

"""The part of `travel` that needs the optional package time-machine."""

from collections.abc import Callable

import time_machine


def start(seconds: float) -> Callable[[], None]:
    """Move the clock to a moment, in seconds since the epoch; return the function that moves it back."""
    travel = time_machine.travel(seconds, tick=True)
    travel.start()
    return travel.stop

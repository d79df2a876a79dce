"""Which workers live, for commands that run once: they watch for a heartbeat, as the pages do between two looks."""

import time
from collections.abc import Callable

from ..models import Worker, database

#: Seconds within which each live worker counts a heartbeat: one is due every five.
WATCHED = 12.0
_STEP = 0.5


def live_workers(
    workers: list[Worker], limit: float = WATCHED, sleep: Callable[[float], None] = time.sleep, *, any_one: bool = False
) -> set[str]:
    """Return the tokens of the workers whose heartbeats move.

    Args:
        workers: As they were loaded a moment ago.
        limit: Seconds to wait at most.
        sleep: How to wait.
        any_one: Whether one live worker is enough.
    """
    before = {worker.token: worker.beats for worker in workers}
    moved: set[str] = set()
    waited = 0.0
    while len(moved) < len(before) and not (any_one and moved) and waited < limit:
        sleep(_STEP)
        waited += _STEP
        rows = Worker.objects.using(database()).filter(token__in=before)
        moved |= {token for token, beats in rows.values_list('token', 'beats') if beats != before[token]}
    return moved

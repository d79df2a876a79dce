"""How far two clocks differ."""

import time
from collections.abc import Callable, Iterator

from .finding import WARNING, Finding

#: Seconds by which two clocks may differ.
SKEW = 2.0


def skew(kind: str, what: str, ask: Callable[[], float]) -> Iterator[Finding]:
    """Yield a finding if the clock of a server differs from that of this host.

    Args:
        kind: The first part of the code of the finding.
        what: The server, in words.
        ask: Returns its present moment in seconds since the epoch.
    """
    before = time.time()
    there = ask()
    after = time.time()
    # The answer was made at some moment in between.
    ahead = there - after if there > after else there - before if there < before else 0.0
    if abs(ahead) > SKEW:
        yield finding(kind, what, ahead)


def finding(kind: str, what: str, ahead: float, other: str = 'this host') -> Finding:
    """Return what there is to say of a clock that is so many seconds ahead of another one, or behind it."""
    return Finding(
        f'{kind}.clock',
        WARNING,
        f'The clock of {what} is {abs(ahead):.0f} seconds {"ahead of" if ahead > 0 else "behind"} that of {other}.',
        'Synchronize the clocks of all hosts with NTP. Scheduled jobs begin by the clock of the host of a worker.',
    )

"""Lengths of time in groups, so that percentiles of millions of them cost a few numbers."""

from bisect import bisect_left
from collections.abc import Mapping
from datetime import timedelta
from itertools import accumulate

#: The upper bounds of the groups, in seconds: from a millisecond to 700,000 seconds (eight days), six for each power
#: of ten, so that a percentile is within half of the true one. What is longer is in one more group.
BOUNDS = tuple(step * 10.0**power for power in range(-3, 6) for step in (1, 1.5, 2, 3, 5, 7))
#: The percentiles that pages and commands show: half of the jobs, nearly all, and all but a few.
PERCENTILES = (50, 95, 99)


class Histogram:
    """How many lengths of time are in each group."""

    def __init__(self, counts: Mapping[str, int] | None = None) -> None:
        """Args:
        counts: The numbers of times by the number of their group, as `stored()` returns them.
        """
        self._counts: dict[int, int] = {int(group): count for group, count in (counts or {}).items()}

    def add(self, group: int, count: int) -> None:
        """Count times of a group."""
        self._counts[group] = self._counts.get(group, 0) + count

    def merge(self, other: 'Histogram') -> None:
        """Add the times of another histogram."""
        # Not by a Counter, which takes several times as long; a week has thousands of these.
        for group, count in other._counts.items():
            self._counts[group] = self._counts.get(group, 0) + count

    def stored(self) -> dict[str, int]:
        """Return the numbers for a JSON column."""
        return {str(group): count for group, count in sorted(self._counts.items())}

    @property
    def count(self) -> int:
        """How many times there are."""
        return sum(self._counts.values())

    @property
    def percentiles(self) -> list[tuple[int, timedelta | None]]:
        """Each of `PERCENTILES`, and the time there."""
        return [(percent, self.percentile(percent)) for percent in PERCENTILES]

    def percentile(self, percent: float) -> timedelta | None:
        """Return the time that this share of the times does not exceed; None without times.

        Within a group, times are taken to be spread evenly.

        Args:
            percent: From 0 to 100.
        """
        if not self.count:
            return None
        groups = sorted(self._counts)
        ends = list(accumulate(self._counts[group] for group in groups))
        rank = percent / 100 * self.count
        place = min(bisect_left(ends, rank), len(groups) - 1)
        group, size = groups[place], self._counts[groups[place]]
        low = BOUNDS[group - 1] if group else 0.0
        high = BOUNDS[min(group, len(BOUNDS) - 1)]
        within = max(0.0, rank - (ends[place] - size)) / size if size else 1.0
        return timedelta(seconds=low + max(0.0, high - low) * within)


def group_of(seconds: float) -> int:
    """Return the number of the group of a length of time."""
    return bisect_left(BOUNDS, seconds)

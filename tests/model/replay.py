"""The replay: what was written to the rows in real runs, compared with the writes of the model."""

from collections import Counter, defaultdict
from typing import Any

from netbox_jobs.models import Job

from .observer import Event, events
from .rows import ENDED, OF_THE_RUN, WAITING, Row, may_be_inserted, name_of


class Replay:
    """Takes the changes of rows one by one; `violations` says which of them the model does not allow."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        #: The jobs that have a slot, by the names of their limits, and the most that there were.
        self.slots: dict[str, set[int]] = defaultdict(set)
        self.most: Counter[str] = Counter()
        self.schedules: dict[int, dict[str, Any]] = {}
        self.deleted: set[int] = set()
        self.ended_schedules: set[int] = set()
        self.writes: Counter[str] = Counter()
        self.violations: list[str] = []

    def feed(self, event: Event, actor: tuple[str, int] | None = None) -> None:
        """Compare one change.

        Args:
            event: The change.
            actor: The worker that makes it as its run's, and the number of the attempt; None if that is not known.
        """
        if event.table != Job._meta.db_table:
            self._schedule(event)
        elif event.before is None:
            self._inserted(event.key, event.after)
        elif event.after is None:
            self.writes['delete'] += 1
            self.deleted.add(event.key)
            self._free(self.rows.pop(event.key, None), event.key)
        else:
            self._changed(event, actor)

    def finish(self) -> None:
        """Look at what is left when all faults are over: each schedule has its next occurrence, and no other job waits
        that must not run."""
        active = {row.schedule for row in self.rows.values() if row.status not in ENDED}
        known = {row.schedule for row in self.rows.values()}
        for key, schedule in self.schedules.items():
            recurs = (schedule['interval'] is not None or schedule['cron']) and not schedule['suspended']
            if recurs and key in known and key not in active:
                self._wrong(f'P4: schedule {key} has no next occurrence')
        for key, row in self.rows.items():
            if row.has_slot:
                self._wrong(f'P10: job {key} has a slot of {row.limit!r}, and nothing is left to run')
            if row.schedule in self.ended_schedules and row.status in WAITING and not (row.attempt or row.releases):
                self._wrong(f'P7: job {key} waits although its schedule was ended')

    def _schedule(self, event: Event) -> None:
        if event.after is None:
            self.schedules.pop(event.key, None)
            self.ended_schedules.add(event.key)
        else:
            self.schedules[event.key] = event.after

    def _inserted(self, key: int, row: Row) -> None:
        self.writes['insert'] += 1
        if key in self.deleted:
            self._wrong(f'P7: job {key} is back although it was deleted')
        if not may_be_inserted(row):
            self._wrong(f'job {key}: no job begins as {row}')
        if row.schedule in self.ended_schedules:
            self._wrong(f'P7: job {key} was made after its schedule had been ended')
        if row.predecessor is not None and any(row.predecessor == other.predecessor for other in self.rows.values()):
            self._wrong(f'P4: job {row.predecessor} has a second successor, job {key}')
        self.rows[key] = row
        self._take(row, key)

    def _free(self, row: Row | None, key: int) -> None:
        if row is not None and row.limit:
            self.slots[row.limit].discard(key)

    def _take(self, row: Row, key: int) -> None:
        """P10: count the slots of a limit, at each change."""
        if not row.has_slot:
            return
        slots = self.slots[row.limit]
        slots.add(key)
        self.most[row.limit] = max(self.most[row.limit], len(slots))
        if len(slots) > (row.limit_most or 1):
            self._wrong(f'P10: jobs {sorted(slots)} have slots of {row.limit!r}, which allows {row.limit_most}')

    def _changed(self, event: Event, actor: tuple[str, int] | None) -> None:
        key, before, after = event.key, event.before, event.after
        if self.rows.get(key) != before:
            self._wrong(f'job {key} was {self.rows.get(key)}, and is changed as {before}')
        self._free(self.rows.get(key), key)
        self.rows[key] = after
        self._take(after, key)
        name = name_of(before, after)
        if name is None:
            self._wrong(f'job {key}: no write of the model makes {after} of {before}')
            return
        self.writes[name] += 1
        if before.status in ENDED and after.status != before.status:
            self._wrong(f'job {key} had ended as {before.status}, and is {after.status} now')
        if name in OF_THE_RUN and actor is not None and actor != (before.worker, before.attempt):
            self._wrong(f'P3: {actor} writes {name!r} to job {key}, which {before.worker} has claimed')
        least = after.crashes + after.retries + (after.status == 'running')
        if not least <= after.attempt <= least + (after.status in ENDED):
            self._wrong(f'P2: job {key} has {after}, which does not add up')

    def _wrong(self, what: str) -> None:
        self.violations.append(what)


def replayed() -> Replay:
    """Replay all that was noted, at the end of a run in which all that can end has ended."""
    replay = Replay()
    for _number, event in events():
        replay.feed(event)
    replay.finish()
    return replay

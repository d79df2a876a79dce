"""What may be written to the row of a job: each write of the lifecycle, with what the row says before and after it.

The model checker (`checker.py`) takes its steps through these writes, and what real processes write is compared with
them (`replay.py`): a change of a row that is none of them is a violation.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

WAITING = frozenset({'pending', 'scheduled'})
RUNNING = frozenset({'running'})
ENDED = frozenset({'completed', 'failed', 'errored', 'canceled'})


class Row(NamedTuple):
    """The columns of a job that the lifecycle decides by."""

    status: str
    due: int | None = 0
    slot: int | None = None
    schedule: int | None = None
    predecessor: int | None = None
    worker: str | None = None
    attempt: int = 0
    crashes: int = 0
    retries: int = 0
    releases: int = 0
    deliveries: int = 0
    stopping: Any = None
    #: Whether it has no slot of its limits; the name of the limit of its runner, and how many it allows.
    held: bool = False
    limit: str = ''
    limit_most: int | None = None

    @property
    def has_slot(self) -> bool:
        """Whether it counts against its limit: it is delivered or runs."""
        ready = self.status == 'running' or (self.status == 'pending' and self.due is not None)
        return bool(self.limit) and ready and not self.held

    @property
    def gated(self) -> bool:
        """Whether it waits for other jobs, or for its object to be saved."""
        return self.status == 'pending' and self.due is None


#: What a write does with a column: from the rows before and after it, and the name of the column.
Effect = Callable[[Row, Row, str], bool]


def same(before: Row, after: Row, name: str) -> bool:
    """It stays."""
    return bool(getattr(before, name) == getattr(after, name))


def emptied(before: Row, after: Row, name: str) -> bool:
    """It is NULL afterwards."""
    return getattr(after, name) is None


def given(before: Row, after: Row, name: str) -> bool:
    """It has a value afterwards."""
    return getattr(after, name) is not None


def counted(before: Row, after: Row, name: str) -> bool:
    """It is one more."""
    return bool(getattr(after, name) == getattr(before, name) + 1)


def taken_back(before: Row, after: Row, name: str) -> bool:
    """It is one less."""
    return bool(getattr(after, name) == getattr(before, name) - 1)


def either(before: Row, after: Row, name: str) -> bool:
    """It is either: the job may have a limit by now, or none any more."""
    return True


def limited(before: Row, after: Row, name: str) -> bool:
    """It is true if the job has a limit: it waits for a slot anew."""
    return bool(getattr(after, name)) or not after.limit


def let_go(before: Row, after: Row, name: str) -> bool:
    """It was true, and is false."""
    return bool(getattr(before, name)) and not getattr(after, name)


def own_schedule(before: Row, after: Row, name: str) -> bool:
    """It is the row's schedule, or NULL: another occurrence has the slot."""
    return getattr(after, name) in (None, before.schedule)


#: All columns but the status, and the limit, which changes with the arguments.
_DECIDING = Row._fields[1:-2]


class Write(NamedTuple):
    """One write: from which statuses to which, under which conditions, and what else it changes."""

    before: frozenset[str]
    after: frozenset[str]
    #: What it does with columns; all others stay.
    effects: dict[str, Effect] = {}
    #: Columns that must be NULL before it, and those that must not.
    null: tuple[str, ...] = ()
    not_null: tuple[str, ...] = ()

    def allows(self, before: Row, after: Row) -> bool:
        """Return whether this write makes the one row of the other."""
        if before.status not in self.before or after.status not in self.after:
            return False
        if any(getattr(before, name) is not None for name in self.null):
            return False
        if any(getattr(before, name) is None for name in self.not_null):
            return False
        return all(self.effects.get(name, same)(before, after, name) for name in _DECIDING)


def _to(*statuses: str) -> frozenset[str]:
    return frozenset(statuses)


_REQUEUED: dict[str, Effect] = {'due': given, 'worker': emptied, 'slot': own_schedule, 'held': limited}
_ENDED: dict[str, Effect] = {'worker': emptied, 'slot': emptied}

#: All writes to an existing row.
WRITES: dict[str, Write] = {
    'deliver': Write(WAITING, _to('pending'), {'due': given, 'deliveries': counted}, not_null=('due',)),
    'postpone': Write(WAITING, _to('scheduled'), {'due': given, 'held': limited}, not_null=('due',)),
    'gate': Write(WAITING, _to('pending'), {'due': emptied, 'held': either}),
    'wait in line': Write(_to('scheduled'), _to('scheduled'), {'due': emptied}, not_null=('due',)),
    'leave the line': Write(_to('scheduled'), _to('scheduled'), {'due': given}, null=('due',)),
    'give a slot': Write(_to('scheduled'), _to('pending'), {'due': given, 'deliveries': counted, 'held': let_go}),
    'lift a limit': Write(_to('scheduled'), _to('scheduled'), {'held': let_go}),
    'open and hold': Write(_to('pending'), _to('scheduled'), {'due': given}, null=('due',)),
    'open and deliver': Write(_to('pending'), _to('pending'), {'due': given, 'deliveries': counted}, null=('due',)),
    'claim': Write(
        _to('pending'), RUNNING,
        {'worker': given, 'attempt': counted, 'slot': emptied, 'stopping': emptied}, not_null=('due',),
    ),
    'stop': Write(RUNNING, RUNNING, {'stopping': given}, null=('stopping',)),
    'end a run': Write(RUNNING, ENDED, _ENDED),
    'end a waiting job': Write(WAITING, ENDED - {'completed'}, _ENDED),
    'retry': Write(RUNNING, _to('scheduled'), {**_REQUEUED, 'retries': counted}, null=('stopping',)),
    'retry after a crash': Write(RUNNING, _to('scheduled'), {**_REQUEUED, 'crashes': counted}, null=('stopping',)),
    'release': Write(
        RUNNING, _to('scheduled'), {**_REQUEUED, 'releases': counted, 'attempt': taken_back}, null=('stopping',)
    ),
    'take the slot': Write(
        _to('scheduled'), _to('scheduled'), {'slot': own_schedule}, null=('slot',), not_null=('schedule',)
    ),
    'suspend': Write(RUNNING, _to('scheduled'), {**_REQUEUED, 'attempt': taken_back}, null=('stopping',)),
    'link to a schedule': Write(RUNNING | ENDED, RUNNING | ENDED, {'schedule': given}, null=('schedule',)),
}  # fmt: skip

#: The writes of a run about itself: only the holder of the claim makes them.
OF_THE_RUN = _to('end a run', 'retry', 'retry after a crash', 'release', 'suspend')


@cache
def name_of(before: Row, after: Row) -> str | None:
    """Return the write that makes the one row of the other; None if the model has none."""
    if before == after:
        return 'nothing'
    return next((name for name, write in WRITES.items() if write.allows(before, after)), None)


def write(name: str, before: Row, **values: Any) -> Row:
    """Return the row after this write of the model.

    Raises:
        AssertionError: It is not what the write is declared as.
    """
    after = before._replace(**values)
    assert _allows(name, before, after), f'{name} does not make {after} of {before}'
    return after


@cache
def _allows(name: str, before: Row, after: Row) -> bool:
    """A model makes the same changes of its few rows in thousands of states."""
    return WRITES[name].allows(before, after)


def may_be_inserted(row: Row) -> bool:
    """Return whether a new row may say this."""
    if row.crashes or row.retries or row.releases or row.stopping is not None or row.slot not in (None, row.schedule):
        return False
    if row.status == 'running':  # `immediate`
        return row.attempt == 1 and row.worker is not None and row.slot is None and not row.deliveries
    if row.attempt or row.worker is not None:
        return False
    delivered = row.status == 'pending' and row.due is not None
    # With its slot, or its place in line, which those of a schedule are given later. Slots are counted at each write.
    if delivered and (row.held or (row.limit and row.schedule is not None)):
        return False
    in_line = row.held and row.schedule is None
    waits = row.status == 'pending' or row.due is not None or in_line
    return row.status in WAITING and row.deliveries == int(delivered) and waits

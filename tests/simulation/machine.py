"""The state machine: Hypothesis chooses what happens next, and shrinks a story that breaks a promise."""

import re
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.test import override_settings
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from netbox_jobs.broker import connection as broker
from netbox_jobs.models import (
    Job,
    JobAttempt,
    JobLogEntry,
    LimitRow,
    LimitSlot,
    PendingChange,
    RepairCount,
    Schedule,
    UniqueJob,
    Worker,
)

from .acts import Act, claim, possible, take, watch
from .clock import virtual
from .faults import Fault, SimulatedRedis
from .site import BEAT, LIMIT, Site, simulated_redis

_NUMBERS = st.integers(0, 10_000)
_FAULTS = (
    st.none()
    | st.none()
    | st.builds(
        Fault, st.sampled_from(('dies before', 'dies after', 'is interrupted', 'is interrupted')), st.integers(0, 9)
    )
)
#: Rounds in which all must have ended when the last fault is over.
_ROUNDS = 60


@dataclass
class Told:
    """How much was told, of all stories so far."""

    stories: int = 0
    #: Acts that were chosen: of a worker, a user, recovery, or the world (time passes, Redis is away).
    steps: int = 0
    #: Acts after the last fault, until all has ended.
    healing: int = 0
    #: Statements and commands to Redis, with those after the last fault.
    places: int = 0
    #: Faults that have struck: deaths, and acts between two statements.
    faults: int = 0
    #: Of what was done, and at which statement: the same for the same seed.
    digest: int = 0

    def __str__(self) -> str:
        return (
            f'{self.stories} stories, {self.steps} steps, {self.faults} faults, {self.places} statements and commands, '
            f'{self.healing} steps to heal; digest {self.digest:08x}'
        )


class Story(RuleBasedStateMachine):
    """One story: steps of real code, and at its end the count."""

    told = Told()

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._stack.enter_context(override_settings(NETBOX_JOBS={'WORKER_TIMEOUT': LIMIT}))
        clock = self._stack.enter_context(virtual())
        self._stack.enter_context(simulated_redis())
        _empty()
        broker.close_circuits()
        self.site = Site(clock)

    @initialize(periodic=st.booleans())
    def begin(self, periodic: bool) -> None:
        """Enqueue something, so that there is a story."""
        acts = possible(self.site)
        self._take(acts[2 if periodic else 1])

    @rule(number=_NUMBERS, fault=_FAULTS, other=_NUMBERS)
    def step(self, number: int, fault: Fault | None, other: int) -> None:
        """Something happens; maybe a process dies, or something else happens between two of its statements."""
        acts = possible(self.site)
        self._take(acts[number % len(acts)], fault, other)

    @rule(number=_NUMBERS, fault=_FAULTS, other=_NUMBERS)
    def work(self, number: int, fault: Fault | None, other: int) -> None:
        """A worker does something."""
        acts = [act for act in possible(self.site) if act.name.startswith('w') and ': ' in act.name]
        self._take(acts[number % len(acts)], fault, other)

    def _take(self, act: Act, fault: Fault | None = None, other: int = 0) -> None:
        def between() -> None:
            acts = [found for found in possible(self.site) if not found.name.startswith(_BESIDE)]
            chosen = acts[other % len(acts)]
            self._choose(f'  between two of its statements: {chosen.name}')
            chosen.after(self.site.step(chosen.do, chosen.actor))

        how = f' ({fault.kind}{"" if fault.kind == "is interrupted" else " statement"} {fault.at})' if fault else ''
        self._choose(f'{act.name}{how}')
        self.site.deletions_allowed = act.name.startswith(('delete', 'end', 'enqueue once'))
        interrupted = fault is not None and fault.kind == 'is interrupted'
        act.after(self.site.step(act.do, act.actor, fault, between if interrupted else None))

    def _choose(self, what: str) -> None:
        note(what)
        self.told.steps += 1
        named = f'{re.sub("[0-9]+", "", what)} {self.site.statements}'  # keys of rows differ from run to run
        self.told.digest = zlib.crc32(named.encode(), self.told.digest)

    def teardown(self) -> None:
        """All faults are over: everything must come to its end."""
        try:
            self._heal()
        finally:
            self.told.stories += 1
            self.told.places += self.site.statements
            self.told.faults += self.site.faults
            self._stack.close()

    def _heal(self) -> None:
        SimulatedRedis.away = False
        site = self.site
        site.deletions_allowed = True
        for schedule in Schedule.objects.filter(paused=True):
            site.step(schedule.resume, None)
        for _ in range(_ROUNDS):
            for act in self._orderly():
                self.told.healing += 1
                act.after(site.step(act.do, act.actor))
            if all(self._is_next(row) for row in site.active().values()):
                break
        else:
            raise AssertionError(f'P1: not ended after {_ROUNDS} rounds: {site.active()}')
        site.replay.finish()
        assert site.replay.violations == [], site.replay.violations

    def _orderly(self) -> Iterator[Act]:
        """What happens where nothing goes wrong."""
        site = self.site
        yield Act('time passes', lambda: site.clock.sleep(2 * BEAT))
        for worker in site.workers:
            yield Act('watch', lambda w=worker: watch(w))
        yield from [act for act in possible(site) if act.name in _RECOVERY]
        for worker in list(site.workers):
            if worker.run is None and not worker.held:
                yield Act('take', lambda w=worker: take(site, w, 1))
            if worker.held and worker.run is None:
                yield Act('claim', lambda w=worker: claim(w))
            if worker.run is not None:
                yield from [act for act in possible(site) if act.name.startswith(f'{worker.token}: end ')][:1]

    def _is_next(self, row: Any) -> bool:
        return row.status == 'scheduled' and row.predecessor is not None and not row.attempt


#: What makes no difference to a process that is interrupted by it.
_BESIDE = ('enqueue', 'a second', 'a minute', 'Redis is a')
_RECOVERY = ('deliver what is due', 'deliver again what Redis has lost', 'settle dependents', 'give slots')
_TABLES = (
    Job.dependencies.through, JobLogEntry, JobAttempt, LimitSlot, LimitRow, UniqueJob, PendingChange, RepairCount, Job,
    Schedule, Worker,
)  # fmt: skip


def _empty() -> None:
    """Begin with empty tables."""
    with connections['default'].cursor() as cursor:
        for model in _TABLES:
            cursor.execute(f'DELETE FROM {model._meta.db_table}')
        cursor.execute('DELETE FROM model_event')

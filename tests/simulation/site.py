"""A simulated site: the real lifecycle code on a real database, with simulated workers, users, Redis and time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import fakeredis
from django.db import Error as DBError
from django.db import connections

from netbox_jobs.broker import connection as broker
from netbox_jobs.execution.heartbeat import Lease
from netbox_jobs.maintenance.observer import Observer
from netbox_jobs.models import Job
from tests.model.observer import Event, events
from tests.model.replay import Replay
from tests.model.rows import ENDED, Row

from .faults import Fault, Process, SimulatedRedis
from .sessions import Died, another_session, is_locked_out, renew

#: Seconds after which a round of heartbeats comes.
BEAT = 5.0
#: Seconds without a heartbeat after which a worker is declared dead: few rounds, each of which takes as long as a step.
LIMIT = 12


class SimulatedWorker:
    """What a worker remembers: the ids that it holds, the job that it runs, and what it has seen of the others."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.held: list[str] = []
        self.run: Job | None = None
        self.lease = Lease(token, token, 'default')
        self.observer = Observer()

    @property
    def actor(self) -> tuple[str, int] | None:
        """The claim of its run."""
        return (self.token, self.run.attempt) if self.run is not None else None


class Site:
    """The state of one story."""

    def __init__(self, clock: Any, size: int = 3) -> None:
        self.clock = clock
        self.redis = _REDIS
        SimulatedRedis.away = False
        self.redis.flushall()
        self.number = 0
        self.workers = [self.new_worker() for _ in range(size)]
        self.replay = Replay()
        self.deletions_allowed = False
        self.steps = self.statements = self.faults = 0
        self._noted, self._seen = 0, set[int]()

    def new_worker(self) -> SimulatedWorker:
        """Return a worker under a name of its own."""
        self.number += 1
        return SimulatedWorker(f'w{self.number}')

    def active(self) -> dict[int, Row]:
        """Return the rows that have not ended."""
        return {key: row for key, row in sorted(self.replay.rows.items()) if row.status not in ENDED}

    def step(
        self,
        act: Callable[[], Any],
        actor: tuple[str, int] | None,
        fault: Fault | None = None,
        between: Callable[[], None] | None = None,
    ) -> bool:
        """Take one step as one process; return whether it lived through it.

        Args:
            act: What it does.
            actor: The claim under which it acts, if it acts for a run.
            fault: What happens to it.
            between: What another process does between two of its statements.
        """

        def interrupt() -> None:
            with another_session():
                self.look(actor)  # what this process has done so far
                between()  # type: ignore[misc]

        process = Process(fault, interrupt if between is not None else None)
        Process.at_work.append(process)
        try:
            with connections['default'].execute_wrapper(process):
                act()
        except Died:
            pass
        except DBError:
            if not process.dead and not is_locked_out():
                raise
            process.dead = True  # it waited for a lock of the one that it interrupts, and gave up: as if it had died
        except Exception:
            if not process.dead:
                raise
        finally:
            Process.at_work.pop()
            self.statements += process.count
            self.faults += process.struck
        if process.dead:
            renew()
        self.look(actor)
        return not process.dead

    def look(self, actor: tuple[str, int] | None) -> None:
        """Replay what has been written since the last look, as by this actor."""
        for number, event in events(self._noted):
            if number not in self._seen:
                self._seen.add(number)
                self._replay(event, actor)
        if self._seen and not is_locked_out():
            # Between statements of a process, what it has noted under lower numbers may be seen later.
            self._noted = max(self._seen)
            self._seen.clear()
        assert self.replay.violations == [], '\n'.join(self.replay.violations)

    def _replay(self, event: Event, actor: tuple[str, int] | None) -> None:
        if event.after is None and event.table == Job._meta.db_table and not self.deletions_allowed:
            self.replay.violations.append(f'P1: job {event.key} was deleted without a request')
        self.replay.feed(event, actor)


#: One for all stories, as the package learns how RQ writes to a queue.
_REDIS = SimulatedRedis(server=fakeredis.FakeServer())
_QUEUES: dict[str, Any] = {}


@contextmanager
def simulated_redis() -> Iterator[None]:
    """Have the package talk to the simulated Redis."""
    with patch.object(broker, '_client', lambda config: _REDIS), patch.object(broker, '_queues', _QUEUES):
        yield

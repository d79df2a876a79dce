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
from tests.model.observer import events, forget
from tests.model.replay import Replay

from .faults import Died, Fault, Process, SimulatedRedis, cut

#: Seconds after which a round of heartbeats comes.
BEAT = 5.0


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
        self.redis = SimulatedRedis(server=fakeredis.FakeServer())
        SimulatedRedis.away = False
        self.number = 0
        self.workers = [self.new_worker() for _ in range(size)]
        self.replay = Replay()
        self.deletions_allowed = False
        self.steps = self.statements = 0

    def new_worker(self) -> SimulatedWorker:
        """Return a worker under a name of its own."""
        self.number += 1
        return SimulatedWorker(f'w{self.number}')

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
        self.steps += 1
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
        if process.dead:
            renew_session()
        self.look(actor)
        return not process.dead

    def look(self, actor: tuple[str, int] | None) -> None:
        """Replay what has been written since the last look, as by this actor."""
        found = events()
        for _number, event in found:
            if event.after is None and event.table == Job._meta.db_table and not self.deletions_allowed:
                self.replay.violations.append(f'P1: job {event.key} was deleted without a request')
            self.replay.feed(event, actor)
        forget([number for number, _event in found])
        assert self.replay.violations == [], '\n'.join(self.replay.violations)


_nested = 0


def is_locked_out() -> bool:
    """Whether this is a process that has come between two statements of another."""
    return _nested > 0


def renew_session() -> None:
    """Give this thread a new session with the database, in place of one whose process has died."""
    before = connections['default']
    connections['default'] = connections.create_connection('default')
    cut(before)


@contextmanager
def another_session() -> Iterator[None]:
    """Work on another session within the block; it does not wait for locks, as nothing could release them."""
    global _nested
    outer = connections['default']
    connections['default'] = inner = connections.create_connection('default')
    _nested += 1
    try:
        if inner.vendor == 'postgresql':
            with inner.cursor() as cursor:
                cursor.execute("SET lock_timeout = '20ms'")
        yield
    finally:
        _nested -= 1
        cut(connections['default'])
        connections['default'] = outer


@contextmanager
def simulated_redis(site: Callable[[], Site | None]) -> Iterator[None]:
    """Have the package talk to the Redis of the current site."""
    clients = patch.object(broker, '_client', lambda config: site().redis)  # type: ignore[union-attr]
    with clients, patch.object(broker, '_queues', {}):
        yield

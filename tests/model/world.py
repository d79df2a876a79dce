"""The model of the lifecycle: what workers, users, recovery and faults may do next in a small world.

A world has a few rows, the ids in Redis, some workers, and a budget of faults and of acts of users. Each step is what
one transaction of the code does, so that the steps are all interleavings of the transactions. What a worker remembers
(ids that it took out of Redis, the claim of its run) is part of the world and may be stale.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from .rows import ENDED, WAITING, Row, write
from .states import GONE, Step, Worker, World, deliver, put, take, with_row, with_worker

#: The key of the one schedule.
CHAIN = 1


@dataclass(frozen=True)
class Model:
    """A small world's bounds; `without` names conditions of the code that this model drops, to see what notices."""

    #: Occurrences of one periodic job, of which the last one stays in the future, and jobs of one run each.
    series: int = 0
    single: int = 1
    #: Whether the last single job depends on the first.
    depends: bool = False
    workers: int = 2
    faults: int = 1
    users: int = 1
    #: How often a job is retried after an error, and after a crash.
    retries: int = 1
    crashes: int = 1
    #: How many of the jobs may run at once; 0 for no limit. (Not for a series.)
    limit: int = 0
    without: frozenset[str] = field(default=frozenset())

    def start(self) -> World:
        """Return the first state: nothing is enqueued."""
        number = self.series + self.single
        workers = tuple(Worker(f'{letter}1') for letter in 'abc'[: self.workers])
        return World(
            (None,) * number, (), workers, frozenset(), bool(self.series), self.faults, self.users, (0,) * number
        )

    def holds(self, condition: str, value: bool) -> bool:
        """Return a condition of the code; True if this model drops it."""
        return value or condition in self.without

    def steps(self, world: World) -> Iterator[Step]:
        """Yield every step that is possible."""
        yield from self._enqueue(world)
        for number, row in enumerate(world.rows):
            if isinstance(row, Row) and not self.is_last(number):
                yield from self._maintain(world, number, row)
                if world.users:
                    yield from self._use(world._replace(users=world.users - 1), number, row)
        for place, worker in enumerate(world.workers):
            yield from self._work(world, place, worker)
            if world.faults:
                yield from self._strike(world._replace(faults=world.faults - 1), place, worker)
        if world.faults and world.redis:
            less = world._replace(faults=world.faults - 1)
            yield Step('Redis loses all ids', 'fault', less._replace(redis=()))
            yield Step('Redis repeats an id', 'fault', deliver(less, world.redis[0], most=2))

    def is_settled(self, world: World) -> bool:
        """Return whether all jobs have ended, but for an occurrence that is still to come."""
        return all(
            not isinstance(row, Row) or row.status in ENDED or self.is_last(number)
            for number, row in enumerate(world.rows)
        )

    def is_last(self, number: int) -> bool:
        """Whether it is the occurrence that stays in the future."""
        return bool(self.series) and number == self.series - 1

    # Callers

    def _enqueue(self, world: World) -> Iterator[Step]:
        for number in [0] * bool(self.series) + list(range(self.series, len(world.rows))):
            if world.rows[number] is not None:
                continue
            if number < self.series:
                row = Row('pending', slot=CHAIN, schedule=CHAIN, deliveries=1)
            elif self.depends and number == len(world.rows) - 1:
                if world.rows[self.series] is None:
                    continue
                yield Step('enqueue, dependent', 'user', with_row(world, number, Row('pending', due=None)))
                continue
            elif self.limit:
                row = Row('scheduled', held=True, limit='limit', limit_most=self.limit)
                yield Step('enqueue, limited', 'user', with_row(world, number, row))
                continue
            else:
                row = Row('pending', deliveries=1)
            inserted = with_row(world, number, row)
            yield Step('enqueue', 'user', deliver(inserted, number))
            yield Step('enqueue, and Redis is away', 'user', inserted)

    def _use(self, world: World, number: int, row: Row) -> Iterator[Step]:
        if self.holds('cancel: it waits', row.status in WAITING) and row.status not in ENDED:
            ended = write('end a waiting job', row, status='canceled', worker=None, slot=None)
            yield Step('cancel', 'user', self._succeed(with_row(world, number, ended), number))
        if row.status == 'running' and self.holds('stop: once', row.stopping is None):
            yield Step('stop', 'user', with_row(world, number, write('stop', row, stopping=1)))
        yield Step('delete', 'user', self._delete(world, number, row))
        if row.has_slot and row.status == 'pending':
            back = write('postpone', row, status='scheduled', held=True)
            yield Step('put back', 'user', with_row(world, number, back))
        if self.depends and number == len(world.rows) - 1 and row.status in WAITING and not row.gated:
            yield Step(
                'have it depend', 'user', with_row(world, number, write('gate', row, status='pending', due=None))
            )
        if number < self.series and world.schedule:
            yield Step('end the schedule', 'user', self._end_schedule(world))
            if row.slot == CHAIN and not row.gated:
                yield Step(
                    'change the schedule', 'user', with_row(world, number, write('postpone', row, status='scheduled'))
                )

    def _delete(self, world: World, number: int, row: Row) -> World:
        world = with_row(world, number, GONE)
        return self._end_schedule(world) if number < self.series and row.status not in ENDED else world

    def _end_schedule(self, world: World) -> World:
        rows = list(world.rows)
        for number, row in enumerate(rows[: self.series]):
            if isinstance(row, Row) and row.status in WAITING:
                rows[number] = GONE
        return world._replace(schedule=False, rows=tuple(rows))

    # Recovery

    def _maintain(self, world: World, number: int, row: Row) -> Iterator[Step]:
        if row.held and row.status == 'scheduled':
            yield from self._give(world, number, row)
            return
        if row.status == 'scheduled' and not self._is_held(world, number):
            due = write('deliver', row, status='pending', deliveries=row.deliveries + 1)
            yield Step('deliver what is due', 'system', deliver(with_row(world, number, due), number))
        if row.status == 'pending' and not row.gated and number not in world.redis:
            again = write('deliver', row, deliveries=row.deliveries + 1)
            yield Step('deliver again', 'system', deliver(with_row(world, number, again), number))
        if row.gated:
            yield from self._settle(world, number, row)
        if row.status == 'running' and row.worker in world.dead:
            yield Step('end an orphan', 'system', self._bury(world, number, row))

    def _give(self, world: World, number: int, row: Row) -> Iterator[Step]:
        """What limits do: a job that is due waits in line, and is delivered when there is a slot for it."""
        if row.due is not None:
            yield Step('wait in line', 'system', with_row(world, number, write('wait in line', row, due=None)))
        taken = sum(isinstance(other, Row) and other.has_slot for other in world.rows)
        if self.holds('give: a slot is free', taken < self.limit):
            given = write('give a slot', row, status='pending', due=0, held=False, deliveries=row.deliveries + 1)
            yield Step('give a slot, and deliver', 'system', deliver(with_row(world, number, given), number))
            if world.faults:  # its worker dies before it tells Redis
                less = world._replace(faults=world.faults - 1)
                yield Step('give a slot, deliver, and die', 'fault', with_row(less, number, given))

    def _is_held(self, world: World, number: int) -> bool:
        """Whether the occurrence before it has not ended, another one runs, or an earlier one is to run again."""
        if number >= self.series:
            return False
        before, own = world.rows[number - 1] if number else None, world.rows[number]
        if isinstance(before, Row) and before.status not in ENDED:
            return True
        others = [row for row in world.rows[: self.series] if isinstance(row, Row) and row is not own]
        again = any(row.status in WAITING and row.slot is None for row in others) and own.slot is not None
        return any(row.status == 'running' for row in others) or (
            again and 'deliver: none is to run again' not in self.without
        )

    def _settle(self, world: World, number: int, row: Row) -> Iterator[Step]:
        before = world.rows[self.series] if number >= self.series else None
        awaited = [before] if number >= self.series else world.rows[:number]
        if any(isinstance(row, Row) and row.status not in ENDED for row in awaited):
            return
        if number >= self.series and (not isinstance(before, Row) or before.status != 'completed'):
            ended = write('end a waiting job', row, status='errored', worker=None, slot=None)
            yield Step('end a dependent', 'system', with_row(world, number, ended))
        elif number < self.series:
            yield Step(
                'open an occurrence',
                'system',
                with_row(world, number, write('open and hold', row, status='scheduled', due=0)),
            )
        else:
            due = write('open and deliver', row, due=0, deliveries=row.deliveries + 1)
            yield Step('open a dependent', 'system', deliver(with_row(world, number, due), number))

    def _bury(self, world: World, number: int, row: Row) -> World:
        if row.stopping is None and row.crashes < self.crashes:
            return self._requeue(world, number, row, 'retry after a crash', crashes=row.crashes + 1)
        ended = write('end a run', row, status='errored', worker=None, slot=None)
        return self._succeed(with_row(world, number, ended), number)

    # Workers

    def _work(self, world: World, place: int, worker: Worker) -> Iterator[Step]:
        if worker.run is not None:
            yield from self._run(world, place, worker, *worker.run)
        elif worker.held:
            yield Step('claim', worker.token, self._claim(world, place, worker))
        else:
            for number in sorted(set(world.redis)):
                yield Step('take an id', worker.token, take(world, place, worker, (number,)))
            if len(world.redis) > 1:
                yield Step('take a batch', worker.token, take(world, place, worker, world.redis[:2]))

    def _claim(self, world: World, place: int, worker: Worker) -> World:
        number, row = worker.held[0], world.rows[worker.held[0]]
        dropped = worker._replace(held=worker.held[1:])
        waits = isinstance(row, Row) and self.holds('claim: it waits', row.status == 'pending')
        if not waits or not self.holds('claim: no gate', row.due is not None):
            return with_worker(world, place, dropped)
        claimed = write(
            'claim', row, status='running', worker=worker.token, attempt=row.attempt + 1, slot=None, stopping=None
        )
        starts = put(world.starts, number, world.starts[number] + 1)
        world = with_row(world, number, claimed)._replace(starts=starts)
        return with_worker(world, place, dropped._replace(run=(number, claimed.attempt)))

    def _run(self, world: World, place: int, worker: Worker, number: int, attempt: int) -> Iterator[Step]:
        row, idle = world.rows[number], with_worker(world, place, worker._replace(run=None))
        there = isinstance(row, Row) and self.holds('the claim: status', row.status == 'running')
        mine = there and self.holds('the claim: attempt', row.attempt == attempt)
        if not (mine and self.holds('the claim: worker', row.worker == worker.token)):
            yield Step('write under a lost claim', worker.token, idle)
            return
        for status in ('completed', 'errored' if row.stopping is None else 'canceled'):
            ended = write('end a run', row, status=status, worker=None, slot=None)
            yield Step(f'end as {status}', worker.token, self._succeed(with_row(idle, number, ended), number))
        if row.retries < self.retries and self.holds('requeue: no stop', row.stopping is None):
            retried = self._requeue(idle, number, row, 'retry', retries=row.retries + 1)
            yield Step('retry', worker.token, retried)
        if world.faults and row.stopping is None and not row.releases:
            less = idle._replace(faults=world.faults - 1)
            released = self._requeue(less, number, row, 'release', releases=1, attempt=row.attempt - 1)
            starts = put(world.starts, number, world.starts[number] - 1)
            yield Step('release', worker.token, released._replace(starts=starts))
        if number < self.series and world.users and self.holds('arrange: the schedule', world.schedule):
            arranged = self._insert_successor(world._replace(users=world.users - 1), number)
            if arranged.rows != world.rows:
                yield Step('arrange the next occurrence', worker.token, arranged)

    def _requeue(self, world: World, number: int, row: Row, name: str, **counts: int) -> World:
        waiting = [
            other
            for other, row in enumerate(world.rows[: self.series])
            if isinstance(row, Row) and row.slot is not None
        ]
        slot = None if number < self.series and waiting else row.schedule
        held = bool(row.limit) and 'requeue: it waits for a slot anew' not in self.without
        if held != bool(row.limit):
            requeued = row._replace(status='scheduled', worker=None, slot=slot, **counts)
            return with_row(world, number, requeued)
        requeued = write(name, row, status='scheduled', worker=None, slot=slot, held=held, **counts)
        world = with_row(world, number, requeued)
        for other in waiting if number < self.series else ():
            following = world.rows[other]
            if other != number + 1 and not following.gated:  # its own successor waits for it anyway
                world = with_row(world, other, write('gate', following, status='pending', due=None))
        return world

    def _succeed(self, world: World, number: int) -> World:
        """Make the successor of a row that has just ended, in the same transaction."""
        if number >= self.series or not world.schedule or 'end: with its successor' in self.without:
            return world
        return self._insert_successor(world, number)

    def _insert_successor(self, world: World, number: int) -> World:
        if self.is_last(number) or world.rows[number + 1] is not None:
            return world
        row = Row('scheduled', slot=CHAIN, schedule=CHAIN, predecessor=number)
        return with_row(world, number + 1, row)

    # Faults

    def _strike(self, world: World, place: int, worker: Worker) -> Iterator[Step]:
        following = Worker(f'{worker.token[0]}{int(worker.token[1:]) + 1}')
        if worker.held or worker.run:
            killed = with_worker(world, place, following)
            yield Step('a worker is killed', 'fault', killed._replace(dead=world.dead | {worker.token}))
        if len(worker.held) > 1:
            back = with_worker(world, place, worker._replace(held=worker.held[:1]))
            yield Step('a batch is put back', worker.token, deliver(back, worker.held[1], most=2))
        if worker.run:
            row = world.rows[worker.run[0]]
            if isinstance(row, Row) and row.status == 'running' and row.worker == worker.token:
                yield Step('a live worker is declared dead', 'fault', self._bury(world, worker.run[0], row))

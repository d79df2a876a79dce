"""A state of the model's world, and how one is made of another."""

from typing import Any, NamedTuple

from .rows import Row

#: A row that was deleted. (One that is not made yet is None.)
GONE = 'gone'


class Worker(NamedTuple):
    """What a worker remembers: the ids that it holds, and the claim under which it runs a job: row and attempt."""

    token: str
    held: tuple[int, ...] = ()
    run: tuple[int, int] | None = None


class World(NamedTuple):
    """One state."""

    rows: tuple[Any, ...]
    redis: tuple[int, ...]
    workers: tuple[Worker, ...]
    #: The tokens of workers that were killed, as long as rows name them.
    dead: frozenset[str]
    #: Whether the schedule of the series is there.
    schedule: bool
    #: How many faults and acts of users may still come.
    faults: int
    users: int
    #: How often each row was claimed, but for claims that were released.
    starts: tuple[int, ...]


class Step(NamedTuple):
    """A step: its name, who takes it (`system`, `fault`, `user` or the token of a worker), and the world then."""

    name: str
    actor: str
    world: World


def put(values: tuple[Any, ...], place: int, value: Any) -> tuple[Any, ...]:
    """Values with another one at a place."""
    return (*values[:place], value, *values[place + 1 :])


def with_row(world: World, number: int, row: Any) -> World:
    """The world with another row; how often that was delivered is bounded, so that the states are."""
    row = row._replace(deliveries=min(row.deliveries, 1)) if isinstance(row, Row) else row
    return world._replace(rows=put(world.rows, number, row))


def with_worker(world: World, place: int, worker: Worker) -> World:
    """The world with a worker that remembers something else."""
    return world._replace(workers=put(world.workers, place, worker))


def deliver(world: World, number: int, most: int = 1) -> World:
    """The world with an id in Redis, at most so many times."""
    if world.redis.count(number) >= most:
        return world
    return world._replace(redis=tuple(sorted((*world.redis, number))))


def take(world: World, place: int, worker: Worker, numbers: tuple[int, ...]) -> World:
    """The world in which a worker holds these ids, which are no longer in Redis."""
    left = list(world.redis)
    for number in numbers:
        left.remove(number)
    return with_worker(world._replace(redis=tuple(left)), place, worker._replace(held=numbers))

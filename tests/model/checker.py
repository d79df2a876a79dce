"""The model checker: it visits every state that a model can reach, and says how it came to one that must not be."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from .rows import ENDED, OF_THE_RUN, WAITING, Row, name_of
from .states import GONE, Step, World
from .world import Model


@dataclass
class Result:
    """What was visited, and the violation with the steps that lead to it, if there is one."""

    states: int
    steps: int
    violation: str = ''
    story: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()

    def __str__(self) -> str:
        lines = [f'{self.states} states, {self.steps} steps', *self.story]
        return '\n'.join([*lines, self.violation] if self.violation else lines)


def check(model: Model, limit: int = 2_000_000) -> Result:
    """Visit all states breadth first, so that the story of a violation is a shortest one.

    Args:
        model: The model.
        limit: Of the number of states.
    """
    start = model.start()
    came: dict[World, tuple[World, str] | None] = {start: None}
    onward: dict[World, list[World]] = {}
    names, count, queue = set(), 0, deque([start])
    while queue:
        world = queue.popleft()
        onward[world] = []
        steps = model.steps(world)
        while True:
            try:
                step = next(steps, None)
            except AssertionError as error:  # a write that is not what it is declared as
                return Result(len(came), count, str(error), _story(came, world))
            if step is None:
                break
            count += 1
            names.add(step.name)
            if (wrong := wrong_step(world, step) or _wrong_if_new(model, step.world, came)) is not None:
                story = (*_story(came, world), f'{step.actor}: {step.name}')
                return Result(len(came), count, wrong, story)
            if step.actor not in ('user', 'fault') and not _costs(world, step.world):
                onward[world].append(step.world)
            if step.world not in came:
                came[step.world] = (world, f'{step.actor}: {step.name}')
                queue.append(step.world)
        assert len(came) <= limit, f'more than {limit} states'
    violation, at = _liveness(model, onward)
    return Result(len(came), count, violation, _story(came, at) if at else (), frozenset(names))


def wrong_step(world: World, step: Step) -> str | None:
    """Return what is wrong with a step; None if nothing is."""
    for number, (before, after) in enumerate(zip(world.rows, step.world.rows, strict=True)):
        if before == after or before is None:
            continue
        if before == GONE:
            return f'P7: row {number} is back although it was deleted'
        if after == GONE:
            if step.actor != 'user':
                return f'P1: row {number} is gone although no user has deleted it'
            continue
        normal = after._replace(deliveries=before.deliveries + 1) if _delivers(before, after, step) else after
        name = name_of(before, normal)
        if name is None:
            return f'row {number}: no write makes {after} of {before}'
        if before.status in ENDED and name != 'nothing':
            return f'row {number} had ended as {before.status}, and is {after.status} now'
        if name in OF_THE_RUN and step.actor not in ('system', 'fault'):
            worker = next(worker for worker in world.workers if worker.token == step.actor)
            if worker.run is None or (number, before.attempt, before.worker) != (*worker.run, step.actor):
                return f'P3: worker {step.actor} writes to row {number}, which it has no claim on'
    return None


def wrong_state(model: Model, world: World) -> str | None:
    """Return what is wrong with a state; None if nothing is."""
    for number, row in enumerate(world.rows):
        if not isinstance(row, Row):
            continue
        if world.starts[number] > 1 + row.crashes + row.retries:
            return f'P2: row {number} was started {world.starts[number]} times'
        expected = {row.crashes + row.retries + (row.status == 'running')}
        if row.attempt not in (expected | {row.crashes + row.retries + 1} if row.status in ENDED else expected):
            return f'row {number}: {row.attempt} attempts, {row.crashes} crashes, {row.retries} retries'
        if number < model.series and not world.schedule and row.status in WAITING and not (row.attempt or row.releases):
            return f'P7: row {number} waits although its schedule was ended'
    if model.limit and sum(isinstance(row, Row) and row.has_slot for row in world.rows) > model.limit:
        return 'P10: more jobs have a slot than the limit allows'
    series = [row for row in world.rows[: model.series] if isinstance(row, Row)]
    active = [row for row in series if row.status not in ENDED]
    if series and world.schedule and not active:
        return 'P4: the schedule has no next occurrence'
    if sum(row.slot is not None for row in active) > 1:
        return 'P4: two occurrences have the slot of the waiting one'
    if sum(row.status == 'running' for row in active) > 1:
        return 'P2: two occurrences of a schedule run side by side'
    return None


def _wrong_if_new(model: Model, world: World, came: dict[World, Any]) -> str | None:
    return None if world in came else wrong_state(model, world)


def _delivers(before: Row, after: Row, step: Step) -> bool:
    """Whether it counts a delivery, which the model bounds."""
    return 'deliver' in step.name or step.name in ('open a dependent',)


def _costs(before: World, after: World) -> bool:
    return (before.faults, before.users) != (after.faults, after.users)


def _liveness(model: Model, onward: dict[World, list[World]]) -> tuple[str, World | None]:
    """Without another fault or user: every state comes to an end (P1), whatever comes first, and nothing goes round."""
    depth: dict[World, int] = {}
    for start in onward:
        stack: list[tuple[World, Any]] = [(start, iter(onward[start]))] if start not in depth else []
        if stack:
            depth[start] = 0  # on the way
        while stack:
            world, following = stack[-1]
            step = next(following, None)
            if step is None:
                depth[world] = 1
                stack.pop()
                if not onward[world] and not model.is_settled(world):
                    return 'P1: nothing can happen any more, and a job has not ended', world
            elif step not in depth:
                depth[step] = 0
                stack.append((step, iter(onward[step])))
            elif depth[step] == 0:
                return 'P1: the steps go in a circle, and no job comes nearer to its end', world
    return '', None


def _story(came: dict[World, tuple[World, str] | None], world: World) -> tuple[str, ...]:
    steps: list[str] = []
    while (found := came[world]) is not None:
        world, name = found
        steps.insert(0, name)
    return tuple(steps)

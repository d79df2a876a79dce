"""What a workflow is made of: runners or calls of them, one by one, in a chain, side by side, or in a batch."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

from asgiref.sync import sync_to_async

from ..enqueue import workflows
from ..models import Job, Workflow, services
from .using import Call, Using


class Canvas:
    """Jobs in an order, from which workflows are made; see `chain()` and `group()`."""

    def __init__(self, parts: Iterable[Any], *, in_order: bool) -> None:
        """Args:
        parts: Runners, `using()` or `using().call()` of runners, and others of these.
        in_order: Whether each part comes after the one before it.

        Raises:
            TypeError: A part is none of these.
        """
        self._parts = [part if isinstance(part, Canvas) else as_call(part) for part in parts]
        self._in_order = in_order

    def enqueue(
        self,
        name: str = '',
        *,
        user: Any = None,
        deadline: datetime | timedelta | None = None,
        on_success: Any = None,
        on_complete: Any = None,
        on_first_failure: Any = None,
    ) -> Workflow:
        """Store the workflow; workers receive its jobs after the commit. The arguments are those of `Workflow.begin()`.

        Raises:
            ValueError, TypeError: See `Workflow.begin()` and `Workflow.add()`; nothing was written.
        """
        begun = Workflow.begin(
            name or self._default_name(),
            user=user,
            deadline=deadline,
            on_success=on_success,
            on_complete=on_complete,
            on_first_failure=on_first_failure,
        )
        with begun as workflow:
            self.add_to(workflow)
        return workflow

    async def aenqueue(self, name: str = '', **given: Any) -> Workflow:
        """Call `enqueue()` from asynchronous code."""
        return await sync_to_async(self.enqueue)(name, **given)

    def add_to(self, workflow: Workflow, after: Any = ()) -> list[Job]:
        """Add the jobs to a workflow that is being made or runs.

        Args:
            workflow: The workflow.
            after: Members by their names, or jobs, which must have completed first.

        Returns:
            The jobs that come last.
        """
        return self._add(workflow, after, set())

    def _add(self, workflow: Workflow, after: Any, names: set[str]) -> list[Job]:
        ends: list[Job] = []
        for part in self._parts:
            if isinstance(part, Canvas):
                last = part._add(workflow, after, names)
            else:
                last = [services.add_to_workflow(workflow, _free(workflow, part, names), part, after, (), {})]
            if self._in_order:
                after = last or after
                ends = last or ends
            else:
                ends += last
        return ends

    def _default_name(self) -> str:
        parts = [part._default_name() if isinstance(part, Canvas) else str(part.runner.name) for part in self._parts]
        return (', '.join(parts)[:200]) or 'Empty'


def chain(*parts: Any) -> Canvas:
    """Return jobs that run one after the other: `chain(FetchJob, CountJob).enqueue()`.

    Args:
        *parts: Runners; `using(...)` or `using(...).call(...)` of runners; chains; or groups, all of whose jobs must
            have completed before the next part runs.
    """
    return Canvas(parts, in_order=True)


def group(*parts: Any) -> Canvas:
    """Return jobs that run side by side; the parts are as those of `chain()`."""
    return Canvas(parts, in_order=False)


def batch(
    what: Any,
    calls: Iterable[Mapping[str, Any]],
    *,
    name: str = '',
    user: Any = None,
    deadline: datetime | timedelta | None = None,
    on_success: Any = None,
    on_complete: Any = None,
    on_first_failure: Any = None,
) -> Workflow:
    """Store a workflow of many jobs of one runner.

    Args:
        what: The runner, or `using(...)` of one.
        calls: The keywords of each job; see `Workflow.add_many()`.
        name: Of the workflow; that of the runner if omitted.
        user: See `Workflow.begin()`, as for the rest.
        deadline: When it fails if it has not ended.
        on_success: What runs once when all have completed.
        on_complete: What runs once when all have ended.
        on_first_failure: What runs once when the first has failed or errored.

    Raises:
        ValueError, TypeError: See `Workflow.begin()` and `Workflow.add_many()`; nothing was written.
    """
    begun = Workflow.begin(
        name or str(as_call(what).runner.name),
        user=user,
        deadline=deadline,
        on_success=on_success,
        on_complete=on_complete,
        on_first_failure=on_first_failure,
    )
    with begun as workflow:
        workflow.add_many(what, calls)
    return workflow


async def abatch(what: Any, calls: Iterable[Mapping[str, Any]], **given: Any) -> Workflow:
    """Call `batch()` from asynchronous code."""
    return await sync_to_async(batch)(what, calls, **given)


def as_call(what: Any, given: Mapping[str, Any] | None = None) -> Call:
    """Return a runner with the keywords of its `enqueue()`.

    Args:
        what: A runner, `using(...)` or `using(...).call(...)` of one.
        given: Keywords: of `enqueue()` for a runner, of `run()` with `using()`.

    Raises:
        TypeError: It is none of these, or a call that has its arguments already.
    """
    if isinstance(what, Using):
        made: Call = what.call(**(given or {}))
        return made
    if isinstance(what, Call):
        if given:
            raise TypeError(f'using().call() has its arguments already; it was given {", ".join(given)} as well.')
        return what
    if isinstance(what, type) and getattr(what, 'is_job_runner', False):
        return Call(what, dict(given or {}))
    raise TypeError(f'{what!r} is not what a workflow is made of; expected a runner, using() or using().call() of one.')


@services.begin_workflow.provide
def begin_workflow(given: dict[str, Any], callbacks: dict[str, Any]) -> AbstractContextManager[Workflow]:
    """Make a workflow; see `Workflow.begin()`."""
    calls = {role: as_call(what) for role, what in callbacks.items() if what is not None}
    return workflows.begun(given, {role: (call.runner, call.keywords) for role, call in calls.items()})


@services.add_to_workflow.provide
def add_to_workflow(
    workflow: Workflow, name: str, what: Any, after: Any, on_failure_of: Any, kwargs: dict[str, Any]
) -> Job:
    """Add a job; see `Workflow.add()`."""
    call = as_call(what, kwargs)
    order = workflows.order_of(workflow, call.runner, after, on_failure_of)
    return workflows.add(workflow, name, call.runner, [call.keywords], order)[0]


@services.add_many_to_workflow.provide
def add_many_to_workflow(
    workflow: Workflow, what: Any, calls: Iterable[Mapping[str, Any]], name: str, after: Any, on_failure_of: Any
) -> list[Job]:
    """Add many jobs of one runner; see `Workflow.add_many()`."""
    runner = as_call(what).runner
    order = workflows.order_of(workflow, runner, after, on_failure_of)
    keywords = [as_call(what, call).keywords for call in calls]
    return workflows.add(workflow, [name or runner.__name__], runner, keywords, order)


def _free(workflow: Workflow, call: Call, names: set[str]) -> str:
    """Return a name for a member without one: that of its runner's class, with a number if it is taken."""
    name = call.runner.__name__
    number = 1
    while name in names or workflow.job(name) is not None:
        number += 1
        name = f'{call.runner.__name__} {number}'
    names.add(name)
    return str(name)

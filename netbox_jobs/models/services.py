"""What models, and the rooms above others, call in the rooms below them.

Imports go one way, so a model does not know the code that changes its row. Each service is declared here with its
types; the room that does the work provides it with a decorator, and `apps.py` imports those rooms when Django is ready.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar

from django.core.exceptions import AppRegistryNotReady

from ..core.recurrence import Recurrence

P = ParamSpec('P')
R = TypeVar('R')
F = TypeVar('F', bound=Callable[..., Any])
# The models use this module, so it cannot import them.
Job: TypeAlias = Any
Schedule: TypeAlias = Any
Workflow: TypeAlias = Any


class Service(Generic[P, R]):
    """A function that another room provides."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._function: Callable[P, R] | None = None

    def provide(self, function: F) -> F:
        """Decorate the function that does the work."""
        self._function = function
        return function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if self._function is None:
            raise AppRegistryNotReady(
                f"{self._name}() was called before Django's apps were ready; call django.setup()."
            )
        return self._function(*args, **kwargs)


# Changes of a job's status: `lifecycle`
start: Service[[Job], None] = Service('start')
finish: Service[[Job, str, str | None], bool] = Service('finish')
cancel: Service[[Job], bool] = Service('cancel')
stop: Service[[Job], bool] = Service('stop')
signal: Service[[Job, str, Any], None] = Service('signal')

limit_queue: Service[[str, int | None], None] = Service('limit_queue')
reset_queue_limit: Service[[str], bool] = Service('reset_queue_limit')

delete_jobs: Service[[Any, Callable[[], Any]], Any] = Service('delete_jobs')

# An action of a person, recorded in the audit trail
act: Service[[str, Any, Callable[[], Any], Any], Any] = Service('act')

# New jobs, and schedules: `enqueue`
join_schedule: Service[[int], None] = Service('join_schedule')
enqueue: Service[[Callable[..., Any], dict[str, Any]], Job] = Service('enqueue')
retry: Service[[Job], Job] = Service('retry')
change_schedule: Service[[Schedule, Recurrence], None] = Service('change_schedule')
pause_schedule: Service[[Schedule], bool] = Service('pause_schedule')
resume_schedule: Service[[Schedule], bool] = Service('resume_schedule')
run_schedule_now: Service[[Schedule], Job | None] = Service('run_schedule_now')
end_schedule: Service[[Schedule], None] = Service('end_schedule')

# Workflows: `lifecycle`, `enqueue` and `execution`
begin_workflow: Service[[dict[str, Any], dict[str, Any]], AbstractContextManager[Workflow]] = Service('begin_workflow')
add_to_workflow: Service[[Workflow, str, Any, Any, Any, dict[str, Any]], Job] = Service('add_to_workflow')
add_many_to_workflow: Service[[Workflow, Any, Any, str, Any, Any], list[Job]] = Service('add_many_to_workflow')
cancel_workflow: Service[[Workflow, str, Any], bool] = Service('cancel_workflow')
retry_workflow: Service[[Workflow, Any], list[Job]] = Service('retry_workflow')

# Runs in this process: `execution`, for queues with `ASYNC: False` (by `job_id`) and for `immediate`
run_delivered: Service[[str], Any] = Service('run_delivered')
run_immediately: Service[[Job, Callable[..., Any], dict[str, Any]], None] = Service('run_immediately')

"""What a task leaves in `job.data`: what it returned, the errors of its attempts, and the workers that ran them."""

from collections.abc import Callable
from typing import Any

from ...core.errors import traceback_of
from ...core.import_path import path_of

#: How many errors are kept, and how many characters of each traceback: its end, which names the error.
ERRORS = 20
TRACEBACK = 50_000

RETURNED, FAILED, RAN = 'return_value', 'errors', 'worker_ids'


class Attempt:
    """One attempt at a task: it is recorded in the data of its job, beside what the task puts there itself."""

    def __init__(self, job: Any) -> None:
        self._job = job
        before = job.data if isinstance(job.data, dict) else {}
        self._errors: list[dict[str, Any]] = list(before.get(FAILED, ()))
        self._workers = workers_of(job)

    def returned(self, value: Any, normalize: Callable[[Any], Any]) -> None:
        """Record what the task has returned.

        Raises:
            TypeError, ValueError: It is no JSON value.
        """
        self._record({} if value is None else {RETURNED: normalize(value)})

    def failed(self, error: BaseException) -> None:
        """Record what the task has raised."""
        self._job._task_error = error
        traceback = traceback_of(error)[-TRACEBACK:]
        found = {'attempt': self._job.attempt, 'exception_class_path': path_of(type(error)), 'traceback': traceback}
        self._errors = [*self._errors, found][-ERRORS:]
        self._record({})

    def _record(self, values: dict[str, Any]) -> None:
        data = self._job.data
        own = dict(data) if isinstance(data, dict) else {} if data is None else {'data': data}
        own.pop(RETURNED, None)
        errors = {FAILED: self._errors} if self._errors else {}
        self._job.data = {**own, **values, **errors, RAN: self._workers}


def workers_of(job: Any) -> list[str]:
    """Return the worker of each attempt; empty where its process died before it could be recorded."""
    data = job.data if isinstance(job.data, dict) else {}
    workers = [str(worker) for worker in data.get(RAN, ())]
    running = [job.worker] if job.worker and len(workers) < job.attempt else []
    lost = max(job.attempt - len(workers) - len(running), 0)
    return [*workers, *[''] * lost, *running][: job.attempt]


def error_of(job: Any) -> BaseException | None:
    """Return what the task has raised in this process; None if it has raised nothing, or the job runs elsewhere."""
    error: BaseException | None = getattr(job, '_task_error', None)
    return error

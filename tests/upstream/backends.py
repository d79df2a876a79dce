"""Our backend in the place of others, with what their tests ask of them besides."""

from typing import Any
from unittest import TestCase

from netbox_jobs.contrib.django_tasks import NetBoxJobsBackend
from netbox_jobs.models import Job
from netbox_jobs.testing import run_jobs


class DummyBackend(NetBoxJobsBackend):
    """No worker runs; what was enqueued is also in a list."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.results: list[Any] = []

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        result = super().enqueue(task, args, kwargs)
        self.results.append(result)
        return result

    def clear(self) -> None:
        self.results.clear()
        Job.objects.all().delete()


class ImmediateBackend(NetBoxJobsBackend):
    """What a worker does happens at once, and the caller gets the result as it is then."""

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        result = super().enqueue(task, args, kwargs)
        run_jobs(raise_errors=False)
        return self.get_result(result.id)


def run_worker(case: TestCase) -> None:
    """Run what waits, as the method of a test case that starts a worker."""
    run_jobs(raise_errors=False)

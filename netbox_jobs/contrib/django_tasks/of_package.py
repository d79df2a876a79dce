"""The backend for the tasks of the package django-tasks: on Django 5.2, and for apps that use it on later ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model
from django_tasks import signals, task_backends
from django_tasks.backends.base import BaseTaskBackend
from django_tasks.base import Task, TaskContext, TaskError, TaskResult, TaskResultStatus
from django_tasks.exceptions import InvalidTaskError, TaskResultDoesNotExist
from django_tasks.utils import normalize_json

from ...core import import_path
from .api import TasksApi, register
from .backend import EnqueuesJobs
from .code import TaskCode
from .options import TakesOptions

API = register(
    TasksApi(
        backends=task_backends,
        task=Task,
        context=TaskContext,
        error=TaskError,
        result=TaskResult,
        status=TaskResultStatus,
        signals=signals,
        invalid_task=InvalidTaskError,
        result_missing=TaskResultDoesNotExist,
        normalize=normalize_json,
    )
)
import_path.adapters[Task] = TaskCode


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTask(TakesOptions, Task):
    """A task with the options of a job."""

    instance: Model | None = field(default=None, compare=False)
    user: Any = field(default=None, compare=False)
    job_timeout: int | str | None = field(default=None, compare=False)
    notifications: str | None = field(default=None, compare=False)
    max_retries: int | None = field(default=None, compare=False)
    retry_backoff: float | Sequence[float] | None = field(default=None, compare=False)
    retry_on: Any = field(default=None, compare=False)
    #: Keep one waiting job of the task for `instance`, as `enqueue_once()` does.
    unique: bool = field(default=False, compare=False)
    on_crash: str | None = field(default=None, compare=False)
    max_crashes: int | None = field(default=None, compare=False)
    stop_grace: float | None = field(default=None, compare=False)
    log_level: str | None = field(default=None, compare=False)


class NetBoxJobsBackend(EnqueuesJobs, BaseTaskBackend):
    """As the backend for Django's tasks."""

    api = API
    task_class = JobTask

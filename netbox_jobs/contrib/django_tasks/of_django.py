"""The backend for `django.tasks`, which Django has from 6.0 on."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model
from django.tasks import signals, task_backends
from django.tasks.backends.base import BaseTaskBackend
from django.tasks.base import Task, TaskContext, TaskError, TaskResult, TaskResultStatus
from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist
from django.utils.json import normalize_json
from django.utils.module_loading import import_string

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
        invalid_task=InvalidTask,
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
    """A task is a job: `TASKS = {'default': {'BACKEND': 'netbox_jobs.contrib.django_tasks.NetBoxJobsBackend'}}`.

    `OPTIONS` may hold `PRIORITY_QUEUES`, and defaults for all tasks: `job_timeout`, `notifications`, `max_retries`,
    `retry_backoff`, `retry_on`, `on_crash`, `max_crashes`, `stop_grace` and `log_level`.
    """

    api = API
    task_class = JobTask

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make a backend; one for tasks of django-tasks if that asks: Wagtail uses the package on all Djangos.

        Both read `TASKS`, so the setting cannot tell who asks.
        """
        asking = str(sys._getframe(1).f_globals.get('__name__'))
        if asking.partition('.')[0] == 'django_tasks' and cls is NetBoxJobsBackend:
            return import_string('netbox_jobs.contrib.django_tasks.of_package.NetBoxJobsBackend')(*args, **kwargs)
        return super().__new__(cls)

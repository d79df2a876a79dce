"""What both backends do, that for Django's tasks and that for those of django-tasks."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any
from uuid import UUID

from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from ...core import import_path, queues, retries, runner_options, transactions
from ...core.options import RUN_ARGUMENTS, RunArguments
from ...exceptions import ArgumentsTooLarge, RunnerNotFound, UnknownQueue
from ...execution.once import enqueue_once
from ...models import Job, database
from . import announcements, priorities
from .api import TasksApi
from .code import TaskCode, code_of
from .options import OF_BACKEND, OF_CALL, options_of
from .results import result_of


class EnqueuesJobs:
    """The part of a backend that makes jobs of tasks, and results of jobs."""

    api: TasksApi
    alias: str
    options: dict[str, Any]
    queues: set[str]

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def validate_task(self, task: Any) -> None:
        """Check the options of a task.

        Raises:
            InvalidTask: One is not acceptable.
        """
        super().validate_task(task)  # type: ignore[misc]
        if priorities.queue_for(self.options, task.queue_name, task.priority) is None:
            raise self.api.invalid_task(
                f'Tasks of the queue {task.queue_name!r} cannot have the priority {task.priority}: no queue for it is '
                f"configured. Set TASKS[{self.alias!r}]['OPTIONS'][{priorities.OPTION!r}]."
            )
        try:
            retries.check(*(getattr(task, name, None) for name in retries.OPTIONS))
        except ValueError as error:
            raise self.api.invalid_task(str(error)) from None

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        """Enqueue a job for a task, in the caller's transaction.

        Returns:
            The result of the task, as it is now.

        Raises:
            InvalidTask: The task cannot be run by a worker, or an option is not acceptable; nothing was written.
            TypeError: An argument is no JSON value.
        """
        self.validate_task(task)
        code = self._code_for(task)
        arguments = {'args': self.api.normalize(list(args)), 'kwargs': self.api.normalize(dict(kwargs))}
        arguments = {name: value for name, value in arguments.items() if value}
        queue_name = priorities.queue_for(self.options, task.queue_name, task.priority)
        usual = {'priority': 0, 'backend': 'default', 'queue_name': queue_name}
        if using := {name: getattr(task, name) for name in usual if getattr(task, name) != usual[name]}:
            arguments['using'] = using
        given = options_of(task, OF_CALL, self.options)
        given |= {'queue_name': queue_name, 'schedule_at': task.run_after, RUN_ARGUMENTS: RunArguments(arguments)}
        given['priority'] = priorities.job_priority(self.options, task.queue_name, task.priority)
        # A queue with `ASYNC: False` runs the job with the end of this block: after the signal.
        inline = not queues.is_async(str(queue_name))
        with transactions.transacting(database()) if inline else nullcontext():
            job = self._insert(code, task, given)
            result = result_of(job, task)
            announcements.send(self.api, 'task_enqueued', type(self), result)
        return result_of(Job.objects.using(database()).get(pk=job.pk), task) if inline else result

    def _insert(self, code: TaskCode, task: Any, given: dict[str, Any]) -> Job:
        try:
            return enqueue_once(code, (), given) if getattr(task, 'unique', False) else code.enqueue(**given)
        except ArgumentsTooLarge:
            raise
        except ValueError as error:
            raise self.api.invalid_task(str(error)) from error

    def _code_for(self, task: Any) -> TaskCode:
        """Return what a worker will find at the path of a task."""
        try:
            found = import_path.resolve(task.module_path)
        except RunnerNotFound as error:
            raise self.api.invalid_task(str(error)) from None
        if not isinstance(found, TaskCode) or found.task.func is not task.func:
            raise self.api.invalid_task(
                f'{task.module_path} is not this task, so a worker could not find it. Decorate the function where it '
                'is defined, and keep its name.'
            )
        return found

    def get_result(self, result_id: str) -> Any:
        """Return the result of the job with this `job_id`, as it is now.

        Raises:
            TaskResultDoesNotExist: There is no such job, it is none of a task, or its task is gone.
        """
        try:
            job = Job.objects.using(database()).get(job_id=UUID(str(result_id)))
        except (ValueError, Job.DoesNotExist):
            raise self.api.result_missing(result_id) from None
        code = code_of(job.runner) if import_path.is_imported(job.runner) or job.is_signed else None
        if code is None or code.api is not self.api:
            raise self.api.result_missing(
                f'{result_id}: the job runs {job.runner or job.name}, which is no task that this process can import.'
            )
        return result_of(job, code.task)

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """Check the settings of this backend; Django's system checks call it."""
        return [
            checks.Error(f'TASKS[{self.alias!r}]: {problem}', id=f'netbox_jobs.{number}')
            for number, problem in self._problems()
        ]

    def _problems(self) -> Iterator[tuple[str, str]]:
        for name in sorted(self.queues):
            try:
                queues.check(name)
            except (ImproperlyConfigured, UnknownQueue) as error:
                yield 'E009', f'QUEUES: {error}'
        if unknown := self.options.keys() - OF_BACKEND - {priorities.OPTION}:
            known = ', '.join(sorted(OF_BACKEND | {priorities.OPTION}))
            yield 'E010', f'OPTIONS has {", ".join(map(repr, sorted(unknown)))}; expected {known}.'
        if problem := priorities.problem_of(self.options.get(priorities.OPTION, priorities.DEFAULT)):
            yield 'E010', f'OPTIONS: {problem}'
        options = {name: value for name, value in self.options.items() if name in OF_BACKEND}
        try:
            runner_options.check(type('OPTIONS', (), {'Meta': type('Meta', (), options)}))
        except ImproperlyConfigured as error:
            yield 'E010', f'OPTIONS: {str(error).partition(".Meta: ")[2]}'

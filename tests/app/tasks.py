"""Tasks of Django's kind: `django.tasks`, or the package django-tasks on Django 5.2."""

import os
import signal
from typing import Any

from django.dispatch import receiver

from netbox_jobs.context import current_job
from netbox_jobs.exceptions import JobFailed
from netbox_jobs.models import Job

from .models import Trace

try:
    from django.tasks import TaskContext, task
    from django.tasks.signals import task_finished
except ImportError:
    from django_tasks import TaskContext, task
    from django_tasks.signals import task_finished


@task()
def nothing(*args: Any, **kwargs: Any) -> None:
    """Take anything."""


@task
async def waiting(*args: Any, **kwargs: Any) -> Any:
    return list(args)


@task(queue_name='low')
def placed() -> None:
    """Have a queue of its own."""


@task()
def add(left: int, right: int) -> int:
    return left + right


@task()
def echo(value: Any) -> Any:
    return value


@task()
def fail(message: str = 'no route') -> None:
    raise ValueError(message)


@task()
async def fail_async() -> None:
    raise LookupError('nowhere')


@task()
def refuse() -> None:
    raise JobFailed('The remote side said no.')


@task()
def leave() -> None:
    raise SystemExit('I leave')


@task()
def nest() -> None:
    raise ValueError(ValueError('within'))


@task()
def unstorable() -> Any:
    return object()


@task(takes_context=True)
def attempt_of(context: TaskContext, wanted: int) -> dict[str, Any]:
    assert isinstance(context, TaskContext)
    assert context.attempt == wanted, context.attempt
    return {'id': context.task_result.id, 'status': context.task_result.status}


@task(takes_context=True, max_retries=2, retry_backoff=0, retry_on=ConnectionError)
def recover(context: TaskContext) -> int:
    if context.attempt < 3:
        raise ConnectionError(f'attempt {context.attempt}')
    return context.attempt


@task()
def remember() -> str:
    job = current_job()
    assert job is not None
    job.data = {'found': 3}
    return 'done'


@task(unique=True)
def only_once(value: int) -> int:
    return value


@task(on_crash='retry', max_crashes=1)
def crash_once() -> int:
    job = current_job()
    assert job is not None
    if job.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return job.attempt


@task()
def crash() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hidden(left: int, right: int) -> int:
    return left - right


renamed = task()(_hidden)


@receiver(task_finished, dispatch_uid='tests.app.tasks')
def trace_end(task_result: Any, **kwargs: Any) -> None:
    """Leave a trace of each end, whichever process announces it."""
    job = Job.objects.get(job_id=task_result.id)
    Trace.objects.create(job_pk=job.pk, pid=os.getpid(), what=f'task {task_result.status}')

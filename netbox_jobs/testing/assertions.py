"""`assert_enqueued()` and `enqueued_jobs()`: which jobs wait, by their options and arguments."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.db.models import Model
from django.utils import timezone

from ..core import clock
from ..core.import_path import path_of
from ..core.options import OPTIONS, check_arguments
from ..core.text import described
from ..enqueue.identify import identify_user
from ..exceptions import ArgumentsRefused, InstanceGone, RunnerNotFound
from ..models import Job, database
from ..models.querysets import JobQuerySet

_MISSING = object()
#: So many jobs are shown in a message.
_SHOWN = 20
#: How far the time of a job may be from a `timedelta` that was expected.
_TOLERANCE = timedelta(seconds=10)

# How a job has an option of its call, where a column says so.
_OPTIONS: dict[str, Callable[[Job], Any]] = {
    'name': lambda job: job.name,
    'user': lambda job: job.user_id,
    'queue_name': lambda job: job.queue_name,
    'schedule_at': lambda job: job.scheduled,
    'interval': lambda job: job.interval,
    'cron': lambda job: job.schedule.cron if job.schedule is not None and job.schedule.cron else None,
    'timezone': lambda job: job.schedule.time_zone if job.schedule is not None and job.schedule.time_zone else None,
    'notifications': lambda job: job.notifications,
    'job_timeout': lambda job: job.job_timeout,
}


def assert_enqueued(runner: Any, **expected: Any) -> Job:
    """Check that a job waits which was enqueued like this; return the first such job.

    Args:
        runner: The runner class, or the function that was enqueued.
        **expected: What must be so: `instance`, `user`, `queue_name`, `schedule_at`, `interval`, `cron`, `timezone`,
            `name`, `notifications`, `job_timeout`, and the arguments of `run()`. What is omitted is not compared. As
            `schedule_at`, a `timedelta` means from now, give or take ten seconds.

    Raises:
        AssertionError: There is none; the message shows what waits instead.
        TypeError: `run()` does not take an argument, or the option cannot be compared.
    """
    _check(runner, expected)
    for job in _waiting(runner):
        if not _differences(job, expected):
            return job
    raise AssertionError(_lacking(runner, expected))


def assert_not_enqueued(runner: Any, **expected: Any) -> None:
    """Check that no job waits which was enqueued like this; see `assert_enqueued()`.

    Raises:
        AssertionError: There is one; the message shows it.
        TypeError: See `assert_enqueued()`.
    """
    _check(runner, expected)
    found = [job for job in _waiting(runner) if not _differences(job, expected)]
    if found:
        raise AssertionError(f'No waiting job of {_call(runner, expected)} was expected; found:\n{_listed(found)}')


def enqueued_jobs(runner: Any = None, **expected: Any) -> list[Job]:
    """Return the jobs that wait, in the order of their keys: all, or those that were enqueued like this.

    Args:
        runner: The runner class, or the function that was enqueued; those of all if omitted.
        **expected: See `assert_enqueued()`.

    Raises:
        TypeError: `run()` does not take an argument, or the option cannot be compared.
    """
    if runner is not None:
        _check(runner, expected)
    return [job for job in _waiting(runner) if not _differences(job, expected)]


aenqueued_jobs = sync_to_async(enqueued_jobs)
aassert_enqueued = sync_to_async(assert_enqueued)
aassert_not_enqueued = sync_to_async(assert_not_enqueued)


def _check(runner: Any, expected: dict[str, Any]) -> None:
    if getattr(runner, 'is_job_runner', False):
        arguments = expected.keys() - OPTIONS
        if not runner.overrides('handle') and not runner.overrides('enqueue'):
            check_arguments('assert_enqueued()', runner.run, arguments)
    for name in expected.keys() & OPTIONS - _OPTIONS.keys() - {'instance'}:
        raise TypeError(
            f'assert_enqueued() does not compare the option {name!r}. It returns the job: look at its columns, such as '
            'job.options and job.retry_policy.'
        )


def _waiting(runner: Any) -> JobQuerySet[Job]:
    waiting = Job.objects.using(database()).waiting()
    if runner is not None:
        waiting = waiting.filter(runner=_path(runner))
    return waiting.select_related('schedule').order_by('pk')


def _path(runner: Any) -> str:
    return path_of(getattr(runner, 'func', runner))


def _differences(job: Job, expected: dict[str, Any]) -> list[str]:
    """Return what the job has otherwise, as `name=value`."""
    arguments: dict[str, Any] | None = None
    found = []
    for name, value in expected.items():
        if name == 'instance':
            has: Any = job.object
        elif name in _OPTIONS:
            has, value = _OPTIONS[name](job), _stored(name, value)
        else:
            if arguments is None:
                arguments = _arguments(job)
            has = arguments.get(name, _MISSING)
        if not _same(has, value):
            found.append(f'{name} is omitted' if has is _MISSING else f'{name}={_shown(has)}')
    return found


def _arguments(job: Job) -> dict[str, Any]:
    try:
        return job.get_arguments()
    except (ArgumentsRefused, InstanceGone, RunnerNotFound):
        return {}


def _stored(name: str, value: Any) -> Any:
    if name == 'user':
        return identify_user(value)
    if name == 'schedule_at' and isinstance(value, datetime):
        return clock.check('schedule_at', value)
    return value


def _same(has: Any, value: Any) -> bool:
    if isinstance(has, datetime) and isinstance(value, timedelta):
        return abs(has - timezone.now() - value) <= _TOLERANCE
    return type(has) is type(value) and bool(has == value) if isinstance(value, bool) else bool(has == value)


def _shown(value: Any) -> str:
    try:
        return f'<{value._meta.label} {value.pk}>' if isinstance(value, Model) else repr(value)
    except Exception as error:
        return described(error)


def _call(runner: Any, expected: dict[str, Any]) -> str:
    named = ', '.join(f'{name}={_shown(value)}' for name, value in expected.items())
    return f'{_path(runner)}({named})'


def _lacking(runner: Any, expected: dict[str, Any]) -> str:
    jobs = Job.objects.using(database())
    of_runner = [(job, _differences(job, expected)) for job in _waiting(runner)]
    of_runner.sort(key=lambda pair: len(pair[1]))
    others = jobs.waiting().exclude(runner=_path(runner)).select_related('schedule').order_by('pk')
    ended = jobs.filter(runner=_path(runner)).exclude(pk__in=jobs.waiting().values('pk')).order_by('pk')
    parts = [f'No waiting job of {_call(runner, expected)}.']
    if of_runner:
        lines = [f'{_described(job)}: {", ".join(differences)}' for job, differences in of_runner[:_SHOWN]]
        parts.append('\n'.join(('Waiting jobs of this runner, and how they differ:', *_cut(lines))))
    if others:
        parts.append(f'Waiting jobs of other runners:\n{_listed(list(others))}')
    if ended:
        parts.append(f'Jobs of this runner that no longer wait:\n{_listed(list(ended))}')
    if len(parts) == 1:
        parts.append('No job waits at all. (A callback of on_commit() runs in a TestCase only within '
                     'captureOnCommitCallbacks(execute=True).)')  # fmt: skip
    return '\n'.join(parts)


def _listed(jobs: list[Job]) -> str:
    return '\n'.join(_cut([_described(job) for job in jobs]))


def _cut(lines: list[str]) -> Iterator[str]:
    yield from (f'  {line}' for line in lines[:_SHOWN])
    if len(lines) > _SHOWN:
        yield f'  and {len(lines) - _SHOWN} more'


def _described(job: Job) -> str:
    """The job as the call that would enqueue it."""
    given = job.arguments_shown.splitlines()
    options = {name: read(job) for name, read in _OPTIONS.items()}
    if job.object_id is not None:
        given.append(f'instance={_shown(job.object)}')
    shown = ('user', 'schedule_at', 'interval', 'cron')
    given += [f'{name}={options[name]!r}' for name in shown if options[name] is not None]
    return f'{job.pk} ({job.status}, queue {job.queue_name}) {job.runner}({", ".join(given)})'

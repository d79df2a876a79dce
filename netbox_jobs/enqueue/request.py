"""One call of `enqueue()`, checked: whatever is wrong with it is raised here, before anything is written."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from rq import Callback
from rq.exceptions import TimeoutFormatError
from rq.job import Dependency
from rq.job import Job as RQJob
from rq.utils import parse_timeout

from ..choices import JobNotificationChoices
from ..core import clock, queues, recurrence, retries
from ..core.import_path import path_of
from ..core.recurrence import Recurrence
from ..core.text import storable_data, storable_text
from ..exceptions import UnsupportedOption

#: The options of RQ that a call may carry; they are stored on the row and handed to RQ with each delivery.
RQ_OPTIONS = (
    'at_front', 'depends_on', 'description', 'failure_ttl', 'job_timeout', 'meta', 'on_failure', 'on_stopped',
    'on_success', 'result_ttl', 'ttl',
)  # fmt: skip
_REFUSED = {
    'job_id': 'the row has its own job_id, made with it',
    'pipeline': 'jobs are handed to RQ after the transaction commits, when a pipeline would be gone',
    'repeat': 'use interval= for a periodic job',
    'retry': 'a job that RQ runs again behind the back of its row could not be accounted for; use max_retries=',
    'unique': 'use enqueue_once()',
}
_TTLS = ('failure_ttl', 'result_ttl', 'ttl')
_CALLBACKS = ('on_failure', 'on_stopped', 'on_success')
_LONGEST_NAME = 200
_LONGEST_PATH = 255


@dataclass(slots=True)
class EnqueueRequest:
    """What one `enqueue()` asks for, in the form in which rows keep it."""

    target: Callable[..., Any]
    runner: str
    name: str
    queue_name: str
    user_id: Any = None
    object_type: ContentType | None = None
    object_id: str | None = None
    object_db: str = ''
    scheduled: datetime | None = None
    interval: int | None = None
    cron: str = ''
    time_zone: str = ''
    notifications: str = JobNotificationChoices.NOTIFICATION_ALWAYS
    job_timeout: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    retry: dict[str, Any] = field(default_factory=dict)
    dependencies: list[UUID] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    #: Which of these the caller has named; the others are defaults.
    given: frozenset[str] = frozenset()

    @property
    def recurrence(self) -> Recurrence:
        """How it recurs, if it does."""
        return Recurrence(self.interval, self.cron, self.time_zone)

    @property
    def key(self) -> str:
        """The identity of the call's schedule."""
        return schedule_key(self.runner, self.object_type, self.object_id, self.object_db)


def schedule_key(runner: str, object_type: ContentType | None, object_id: str | None, object_db: str) -> str:
    """The identity of a schedule: this runner for this object, or for none.

    A hash, because MariaDB compares text without regard to case, and has no conditional unique constraints.
    """
    about = '' if object_type is None else f'{object_type.app_label}.{object_type.model}'
    return sha256('\n'.join((runner, about, object_db, object_id or '')).encode()).hexdigest()


def check(
    func: Callable[..., Any],
    *,
    alias: str,
    instance: Model | None,
    name: str,
    user: Any,
    schedule_at: datetime | None,
    interval: int | None,
    immediate: bool,
    queue_name: str | None,
    notifications: str | None,
    kwargs: dict[str, Any],
) -> EnqueueRequest:
    """Check everything that can be wrong with a call; see `Job.enqueue()` for the parameters.

    Raises:
        ValueError: A value is not acceptable; the message says which, and what was expected.
        TypeError: `func` is nothing that a worker could call.
    """
    if schedule_at is not None and immediate:
        raise ValueError('schedule_at and immediate exclude each other: a job runs now, or at its time.')
    if kwargs.get('depends_on') and immediate:
        raise ValueError('depends_on and immediate exclude each other: a job runs now, or after others.')
    target, runner, kind = _identify(func, importable=not immediate)
    meta = getattr(kind, 'Meta', None)
    scheduled = clock.check('schedule_at', schedule_at)
    recurrence.check_interval(interval)
    own_name = str(getattr(func, '__name__', '') if kind is None else kind.name)
    name = storable_text(str(name or own_name))
    if len(name) > _LONGEST_NAME:
        raise ValueError(f'name has {len(name)} characters; at most {_LONGEST_NAME} can be stored: {name[:60]!r}…')
    if notifications is not None and notifications not in JobNotificationChoices.values():
        raise ValueError(
            f'notifications is {notifications!r}; expected one of {", ".join(JobNotificationChoices.values())}.'
        )
    if 'job' in kwargs:
        raise TypeError('job is the name under which the call gets the job itself; name the argument otherwise.')
    kwargs = dict(kwargs)
    cron, time_zone = _cron(kwargs, interval)
    retry = _retry({key: kwargs.pop(key) for key in retries.OPTIONS if key in kwargs})
    for option, reason in _REFUSED.items():
        if kwargs.pop(option, None):
            raise UnsupportedOption(f"RQ's option {option!r} is not accepted: {reason}.")
    options, timeout, dependencies = _rq_options({key: kwargs.pop(key) for key in RQ_OPTIONS if key in kwargs})
    given = {
        'name': name != own_name,
        'queue_name': queue_name not in (None, ''),
        'user_id': user is not None,
        'notifications': notifications is not None,
        'job_timeout': timeout is not None,
        'retry': bool(retry),
        'kwargs': bool(kwargs),
    }
    if timeout is None:
        timeout = _seconds('Meta.job_timeout', getattr(meta, 'job_timeout', None))
    if queue_name in (None, ''):
        queue_name = getattr(meta, 'queue', None) or queues.DEFAULT_QUEUES[1]
    object_type, object_id, object_db = identify_instance(instance, alias)
    return EnqueueRequest(
        target=target,
        runner=runner,
        name=name,
        queue_name=queues.check(queue_name),
        user_id=_identify_user(user),
        object_type=object_type,
        object_id=object_id,
        object_db=object_db,
        scheduled=scheduled,
        interval=interval,
        cron=cron,
        time_zone=time_zone,
        retry=retry,
        notifications=notifications or JobNotificationChoices.NOTIFICATION_ALWAYS,
        job_timeout=timeout,
        options=options,
        dependencies=dependencies,
        kwargs=kwargs,
        given=frozenset(name for name, named in given.items() if named),
    )


def identify_instance(instance: Model | None, alias: str) -> tuple[ContentType | None, str | None, str]:
    """The content type, the primary key as text, and the database (if not `alias`) of a saved model object.

    Raises:
        ValueError: It is not saved, or its primary key is composite.
        TypeError: It is no model object.
    """
    if instance is None:
        return None, None, ''
    if not isinstance(instance, Model):
        raise TypeError(
            f'instance is {instance!r:.60} ({type(instance).__name__}); expected a saved model object or None. (It is '
            'the first argument; those of run() are given by their names.)'
        )
    if instance._state.adding or instance.pk is None:
        raise ValueError(f'instance is an unsaved {instance._meta.label}; save it before a job can be about it.')
    if isinstance(instance.pk, tuple):
        raise ValueError(f'{instance._meta.label} has a composite primary key, to which jobs cannot refer.')
    object_type = ContentType.objects.db_manager(alias).get_for_model(instance, for_concrete_model=False)
    object_db = instance._state.db if instance._state.db not in (None, alias) else ''
    return object_type, str(instance.pk), object_db or ''


def _identify_user(user: Any) -> Any:
    if user is None or getattr(user, 'is_anonymous', False):
        return None
    if not isinstance(user, Model) or user.pk is None or user._state.adding:
        raise ValueError(f'user is {user!r}; expected a saved user or None.')
    return user.pk


def _identify(func: Callable[..., Any], *, importable: bool) -> tuple[Callable[..., Any], str, Any]:
    """The callable, the path by which rows know it, and its runner class; None for a plain function."""
    owner = getattr(func, '__self__', None)
    if inspect.isclass(owner) and getattr(owner, 'is_job_runner', False) and func.__name__ == 'handle':
        named: Any = owner
        kind: Any = owner
        if inspect.isabstract(owner):
            raise TypeError(f'{path_of(owner)} does not implement run(), so it cannot be enqueued.')
    else:
        named, kind = func, None
    if (
        not callable(func)
        or not hasattr(named, '__qualname__')
        or (owner is not None and not inspect.isclass(owner) and not inspect.isbuiltin(func))
    ):
        raise TypeError(f'{func!r} cannot be enqueued; expected a function of a module, or a JobRunner subclass.')
    path = path_of(named)
    if owner is not None and named is func and inspect.isclass(owner):
        path = f'{path_of(owner)}.{func.__name__}'  # an inherited class method, called on the subclass
    if importable and ('<' in path or named.__module__ == '__main__'):
        raise ValueError(
            f'{path} cannot be imported by a worker (a lambda, something nested in a function, or part of __main__); '
            'move it to the top level of a module.'
        )
    if len(path) > _LONGEST_PATH:
        raise ValueError(f'The path {path} has {len(path)} characters; at most {_LONGEST_PATH} can be stored.')
    return func, path, kind


def _cron(kwargs: dict[str, Any], interval: int | None) -> tuple[str, str]:
    """Take `cron` and its `timezone` out of the call; a `timezone` without `cron` is an argument of `run()`."""
    if kwargs.get('cron') is None:
        kwargs.pop('cron', None)
        return '', ''
    if interval is not None:
        raise ValueError('interval and cron exclude each other; give one of them.')
    return recurrence.check_cron(kwargs.pop('cron'), kwargs.pop('timezone', None))


def _retry(given: dict[str, Any]) -> dict[str, Any]:
    """How to retry, as the row keeps it: exception classes by their paths."""
    checked = retries.check(given.get('max_retries'), given.get('retry_backoff'), given.get('retry_on'))
    if 'on' in checked:
        checked['on'] = [path_of(kind) for kind in checked['on']]
        for path in checked['on']:
            if '<' in path or path.startswith('__main__.'):
                raise ValueError(f'retry_on names {path}, which a worker cannot import; define it in a module.')
    return checked


def _rq_options(given: dict[str, Any]) -> tuple[dict[str, Any], int | None, list[UUID]]:
    """Split RQ's options into what the row keeps as JSON, the time limit, and the jobs of ours to wait for."""
    options = {key: value for key, value in given.items() if value is not None}
    timeout = _seconds('job_timeout', options.pop('job_timeout', None))
    for key in _TTLS:
        if key in options:
            options[key] = _seconds(key, options[key], least=1 if key == 'ttl' else 0)
    for key in _CALLBACKS:
        if key in options:
            options[key] = _callback(key, options[key])
    if not isinstance(options.get('meta', {}), dict):
        raise ValueError(f'meta is {options["meta"]!r}; expected a dictionary.')
    if 'meta' in options:
        options['meta'] = storable_data(options['meta'], 'meta')
    options['at_front'] = bool(options.get('at_front', False))
    if 'description' in options:
        options['description'] = storable_text(str(options['description']))
    ours: list[UUID] = []
    if 'depends_on' in options:
        ours, theirs, allow_failure = _dependencies(options.pop('depends_on'))
        if theirs:
            options['depends_on'] = theirs
        if allow_failure:
            options['allow_failure'] = True
    return {key: value for key, value in options.items() if value is not False}, timeout, ours


def _seconds(name: str, value: Any, least: int = 1) -> int | None:
    if value is None:
        return None
    try:
        seconds = None if isinstance(value, bool) else parse_timeout(value)
    except (TimeoutFormatError, TypeError, AssertionError, ValueError):
        seconds = None
    if seconds is None or (seconds < least and seconds != -1) or (isinstance(value, float) and value != seconds):
        raise ValueError(f"{name} is {value!r}; expected whole seconds, a text such as '10m', or -1 for no limit.")
    if seconds > 2_147_483_647:
        raise ValueError(f'{name} is {value!r}; at most 2147483647 seconds can be stored.')
    return seconds


def _callback(name: str, value: Any) -> dict[str, Any]:
    callback = value if isinstance(value, Callback) else Callback(value)
    path = callback.func if isinstance(callback.func, str) else path_of(callback.func)
    if '<' in path or path.startswith('__main__.'):
        raise ValueError(
            f'{name} is {path}, which a worker cannot import; use a function at the top level of a module.'
        )
    return {'path': path, 'timeout': callback.timeout}


def _dependencies(value: Any) -> tuple[list[UUID], list[str], bool]:
    """Sort what `depends_on` accepts into candidates for rows of ours (by `job_id`), and ids of RQ alone."""
    ours: list[UUID] = []
    theirs: list[str] = []
    allow_failure = False
    items = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    for item in items:
        if isinstance(item, Dependency):
            more_ours, more_theirs, _ = _dependencies(list(item.dependencies))
            ours += more_ours
            theirs += more_theirs
            allow_failure = allow_failure or item.allow_failure
        elif isinstance(item, Model) and isinstance(job_id := getattr(item, 'job_id', None), UUID):
            ours.append(job_id)
        elif isinstance(item, UUID):
            ours.append(item)
        elif isinstance(item, RQJob | str):
            name = item.id if isinstance(item, RQJob) else item
            try:
                ours.append(UUID(name))
            except ValueError:
                theirs.append(name)
        else:
            raise ValueError(f'depends_on contains {item!r}; expected jobs, ids of jobs, or a list of them.')
    return ours, theirs, allow_failure

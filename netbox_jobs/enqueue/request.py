"""One call of `enqueue()`, checked: whatever is wrong with it is raised here, before anything is written."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.contenttypes.models import ContentType

from ..choices import JobNotificationChoices
from ..core import clock, contexts, limits, options, order, queues, rates, recurrence, retries, runner_options, unique
from ..core.home import unwrapped
from ..core.limits import Limit
from ..core.options import UNCHANGED
from ..core.rates import Rate
from ..core.recurrence import Recurrence
from ..core.text import storable_text
from ..core.unique import Debounce, Sameness
from . import dependencies
from .identify import content_type_of, identify_callable, identify_instance, identify_user, is_unsaved, schedule_key
from .rq_options import check_rq_options, seconds
from .unsaved import Unsaved

_LONGEST_NAME = 200


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
    #: The instance, if it has no row yet: the job is bound to it when it is saved.
    unsaved: Unsaved | None = None
    scheduled: datetime | None = None
    interval: int | None = None
    cron: str = ''
    time_zone: str = ''
    notifications: str = JobNotificationChoices.NOTIFICATION_ALWAYS
    job_timeout: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    retry: dict[str, Any] = field(default_factory=dict)
    #: The `job_id`s of jobs of ours that must have completed first.
    dependencies: list[UUID] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    #: What the call was made in.
    context: dict[str, Any] = field(default_factory=dict)
    tenant: str = ''
    #: The limit of the runner, if it has one.
    limit: Limit | None = None
    #: The rate of the runner, if it has one.
    rate: Rate | None = None
    #: The priority within the queue.
    priority: int = order.DEFAULT
    #: By which argument, or function, jobs of the runner take turns, if they do.
    fair_by: str | Callable[..., Any] | None = None
    #: The columns of the limits of a row that the request was made from.
    kept_limit: dict[str, Any] = field(default_factory=dict)
    #: Which jobs of the runner count as the same, if it says so.
    unique: Sameness | None = None
    #: The workflow that the job is a member of, and whether it is a callback of it.
    workflow_id: int | None = None
    gated: bool = False
    #: The fields that the caller has named; the others are defaults.
    given: frozenset[str] = frozenset()

    @property
    def recurrence(self) -> Recurrence:
        """When it recurs, if it does."""
        return Recurrence(self.interval, self.cron, self.time_zone)

    def put_into(self, context: dict[str, Any]) -> None:
        """Have the job run in a context."""
        self.context = context
        self.tenant = contexts.tenant_of(context) if context else ''

    @property
    def key(self) -> str:
        """The identity of the request's schedule."""
        if self.unsaved is not None:
            return schedule_key(self.runner, self.object_type, self.unsaved.token, '', self.tenant)
        return schedule_key(self.runner, self.object_type, self.object_id, self.object_db, self.tenant)

    @property
    def kind(self) -> Any:
        """The runner class whose `handle` is the target."""
        return getattr(self.target, '__self__', None)

    def check_complete(self, call: str = 'enqueue') -> None:
        """Check that `run()` has all arguments that it requires; what an own `handle()` passes to it is not known.

        Raises:
            TypeError: It has not.
        """
        kind = self.kind
        if getattr(kind, 'is_job_runner', False) and not kind.overrides('handle'):
            options.check_complete(f'{kind.__name__}.{call}()', kind.run, self.kwargs)

    @property
    def limit_values(self) -> dict[str, Any]:
        """The columns of the limit and of the rate of the runner, by the arguments; none if it has none."""
        values = self.kept_limit
        if self.limit is not None:
            name = self.limit.name_for(self.runner, self.kind.run, self.kwargs)
            values = values | {'limit': name, 'limit_most': self.limit.most}
        if self.rate is not None:
            allowed, name = self.rate.allowance, self.rate.name_for(self.runner, self.kind.run, self.kwargs)
            values = values | {'rate': name, 'rate_most': allowed.most, 'rate_per': allowed.per}
        if self.fair_by is not None:
            values = values | {'fair_key': order.key_of(self.fair_by, self.kind.run, self.kwargs)}
        return values

    @property
    def waits(self) -> bool:
        """Whether it cannot be delivered yet, whatever its time: it waits for jobs, its workflow or its object."""
        return bool(self.dependencies) or self.gated or self.unsaved is not None


def check(
    func: Callable[..., Any], given: dict[str, Any], *, call: str = 'enqueue', context: dict[str, Any] | None = None
) -> EnqueueRequest:
    """Check everything that can be wrong with a call.

    Args:
        func: A runner's `handle`, or a function.
        given: All keywords of the call: options (see `EnqueueOptions`) and arguments of `func`.
        call: The name of the method that was called, for messages.
        context: What the call was made in, if that is known already.

    Raises:
        ValueError: A value is not acceptable; the message says which, and what was expected.
        TypeError: A worker could not call `func`, or `run()` does not take a keyword.
    """
    given = {name: value for name, value in given.items() if value is not UNCHANGED}
    packed = options.take_run_arguments(given)
    immediate = bool(given.pop('immediate', False))
    runner, kind = identify_callable(func, importable=not immediate)
    _check_immediate(immediate, given, func, kind)
    request = EnqueueRequest(target=func, runner=runner, name='', queue_name='')
    named = _take_plain_options(request, given, kind, func)
    named |= _take_recurrence(request, given)
    retry = retries.check(*(given.pop(option, None) for option in retries.OPTIONS))
    request.retry = retries.stored(retry)
    for option in options.REFUSED:
        if given.pop(option, None):
            raise options.refusal(option)
    rq = {key: given.pop(key) for key in options.RQ_OPTIONS if key in given}
    request.options, timeout, awaited = check_rq_options(rq)
    request.job_timeout = timeout
    named |= _take_flow(request, given.pop('priority', None), kind)
    request.unique = unique.taken(given, func, kind) or request.unique
    if timeout is None and kind is not None:
        request.job_timeout = seconds(*runner_options.time_limit(kind))
    _take_order(request, awaited, given, func, kind)
    _check_debounced(request, counts=not immediate and call == 'enqueue')
    given |= packed
    # An `enqueue()` of the runner's own may translate the arguments of `enqueue_once()`; it is checked behind it.
    translated = call == 'enqueue_once' and kind is not None and kind.overrides('enqueue')
    if kind is not None and not kind.overrides('handle') and not translated:
        options.check_arguments(f'{kind.__name__}.{call}()', kind.run, given.keys())
    request.kwargs = given
    # Last, so that a context records no call that is refused.
    request.put_into(_captured(request, call) if context is None else context)
    named |= {'job_timeout'} if timeout is not None else set()
    named |= {'retry'} if retry else set()
    named |= {'kwargs'} if given else set()
    request.given = frozenset(named)
    return request


def _captured(request: EnqueueRequest, call: str) -> dict[str, Any]:
    # `enqueue_once()` enqueues behind this, if at all.
    return contexts.capture(None if call == 'enqueue_once' else contexts.Call(request.runner, request.queue_name))


def _check_immediate(immediate: bool, given: dict[str, Any], func: Any, kind: Any) -> None:
    if not immediate:
        return
    if given.get('schedule_at') is not None:
        raise ValueError('schedule_at and immediate exclude each other: a job runs now, or at its time.')
    for option in ('depends_on', *dependencies.OPTIONS):
        if given.get(option) and not dependencies.is_argument(option, func, kind):
            raise ValueError(f'{option} and immediate exclude each other: a job runs now, or after others.')
    instance = given.get('instance')
    if instance is not None:
        identify_instance(instance)  # an unsaved one cannot be run for


def _check_debounced(request: EnqueueRequest, *, counts: bool) -> None:
    if not counts or not isinstance(request.unique, Debounce):
        return
    if request.scheduled is not None or request.recurrence or request.waits:
        raise ValueError(
            'debounce decides when a job of this runner is due: schedule_at, interval, cron, depends_on and an '
            'instance that is not saved cannot be given.'
        )


def _take_plain_options(request: EnqueueRequest, given: dict[str, Any], kind: Any, func: Any) -> set[str]:
    """Take name, queue, user, instance, time and notifications out of the call; return those that it names."""
    if 'job' in given:
        raise TypeError('job is the name under which run() receives the job itself; name the argument otherwise.')
    _take_instance(request, given.pop('instance', None))
    own_name = str(getattr(func, '__name__', '') if kind is None else kind.name)
    request.name = storable_text(str(given.pop('name', '') or own_name))
    if len(request.name) > _LONGEST_NAME:
        raise ValueError(
            f'name has {len(request.name)} characters; at most {_LONGEST_NAME} can be stored: {request.name[:60]!r}…'
        )
    user, queue_name = given.pop('user', None), given.pop('queue_name', None)
    schedule_at, notifications = given.pop('schedule_at', None), given.pop('notifications', None)
    request.scheduled = clock.check('schedule_at', schedule_at)
    if notifications is not None and notifications not in JobNotificationChoices.values():
        raise ValueError(
            f'notifications is {notifications!r}; expected one of {", ".join(JobNotificationChoices.values())}.'
        )
    request.notifications = notifications or JobNotificationChoices.NOTIFICATION_ALWAYS
    named = {
        'name': request.name != own_name,
        'queue_name': queue_name not in (None, ''),
        'user_id': user is not None,
        'notifications': notifications is not None,
        'schedule_at': schedule_at is not None,
    }
    if queue_name in (None, ''):
        queue_name = getattr(getattr(kind, 'Meta', None), 'queue', None) or queues.DEFAULT_QUEUES[1]
    request.queue_name = queues.check(queue_name)
    request.user_id = identify_user(user)
    return {name for name, is_named in named.items() if is_named}


def _take_instance(request: EnqueueRequest, instance: Any) -> None:
    if (instance := unwrapped(instance)) is None:
        return
    request.object_type = content_type_of(instance)
    if is_unsaved(instance):
        request.unsaved = Unsaved.of(instance)
    else:
        request.object_type, request.object_id, request.object_db = identify_instance(instance)


def _take_flow(request: EnqueueRequest, priority: Any, kind: Any) -> set[str]:
    """Take the priority of the call, and what the runner says of priority, turns, limits, rates and unique jobs."""
    if kind is not None:
        request.limit, request.unique = limits.of_meta(kind.Meta, kind.run), unique.of_meta(kind.Meta, kind.run)
        request.rate = rates.of_meta(kind.Meta, kind.run)
        request.priority, request.fair_by = order.of_meta(kind.Meta, kind.run)
    if priority is None:
        return set()
    request.priority = order.check_priority(priority)
    return {'priority'}


def _take_recurrence(request: EnqueueRequest, given: dict[str, Any]) -> set[str]:
    """Take `interval`, or `cron` with its `timezone`, out of the call; return the names of the fields that it sets.

    A `timezone` without `cron` is an argument of `run()`.
    """
    fields = {'interval', 'cron', 'time_zone'}
    cron = given.pop('cron', None)
    named = fields if 'interval' in given or cron is not None else set()
    request.interval = given.pop('interval', None)
    recurrence.check_interval(request.interval)
    if cron is not None:
        if request.interval is not None:
            raise ValueError('interval and cron exclude each other; give one of them.')
        request.cron, request.time_zone = recurrence.check_cron(cron, given.pop('timezone', None))
    return named


def add_dependencies(request: EnqueueRequest, option: str, job_ids: list[UUID]) -> None:
    """Have a request wait for jobs of ours: `after` their completion, or `on_failure_of` one of them."""
    request.dependencies += [job_id for job_id in job_ids if job_id not in request.dependencies]
    if option == 'on_failure_of' and job_ids:
        request.options[option] = [*request.options.get(option, []), *map(str, job_ids)]


def _take_order(request: EnqueueRequest, depends_on: list[UUID], given: dict[str, Any], func: Any, kind: Any) -> None:
    """Take out of a call which jobs the request waits for."""
    ours, theirs = dependencies.split(depends_on)
    if theirs:
        request.options['depends_on'] = [*request.options.get('depends_on', []), *theirs]
    request.dependencies = ours
    for option in dependencies.OPTIONS:
        add_dependencies(request, option, dependencies.taken(option, given, func, kind))

"""The audit trail: the one place that every action of a person passes, whichever interface it comes through.

The public methods of the models call `act()`. What it records is written in the transaction of the action, so that
neither is there without the other.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, Model

from ..core import actors, transactions
from ..core.actors import Actor
from ..core.text import storable_data, storable_text
from ..models import (
    AuditEntry,
    Job,
    MutedError,
    PausedQueue,
    QueueLimit,
    Schedule,
    Worker,
    Workflow,
    database,
    services,
)
from ..signals import job_audited

#: How many keys the entry of an action on several objects lists.
LISTED = 1000
#: What an entry says of a row before and after the action, by its model; for the others, whether the row exists.
_TYPES: dict[type[Model], tuple[str, tuple[str, ...]]] = {
    Job: ('job', ('status', 'stopping', 'runner', 'queue_name', 'object_id')),
    Schedule: ('schedule', ('interval', 'cron', 'time_zone', 'paused', 'suspended', 'runner', 'queue_name')),
    Workflow: ('workflow', ('status', 'ending')),
    Worker: ('worker', ('leaving',)),
    PausedQueue: ('queue', ()),
    QueueLimit: ('queue', ('most',)),
    MutedError: ('error', ()),
}
_EXISTS: dict[type[Model], str] = {PausedQueue: 'paused', MutedError: 'muted'}
_ACTIONS = dict(AuditEntry.ACTIONS)


@dataclass(eq=False)
class _Several:
    """One action on several objects, which is one entry."""

    action: str
    filter: dict[str, Any]
    entry: AuditEntry | None = None
    ids: list[Any] = field(default_factory=list)


_several: ContextVar[_Several | None] = ContextVar('netbox_jobs.audit_several', default=None)


@services.act.provide
def act(action: str, row: Any, perform: Callable[[], Any], user: Any = None) -> Any:
    """Perform an action on a row; record it in the same transaction, if it is known who acts and it changed something.

    Args:
        action: One of `AuditEntry.ACTIONS`.
        row: The row, or for a queue and an error an unsaved one.
        perform: What does it; it returns something false if it has changed nothing.
        user: The user that was passed to the method.

    Returns:
        What `perform` returns.

    Raises:
        ValueError: The trail has no such action.
    """
    _check(action)
    actor = actors.current(user)
    if actor is None:
        return perform()
    using = row._state.db or database()
    several, written = _several.get(), None

    def transact() -> Any:
        nonlocal written
        before = {} if several is not None else _state(row, using)
        key, name = row.pk, str(row)
        # What an action does within is no action of its own: the end of a schedule deletes its job.
        with actors.acting_as(None):
            result = perform()
        if result[0] if isinstance(result, tuple) else result:
            if several is not None:
                written = _add(several, actor, row, key, using)
            else:
                details = _difference(before, _state(row, using, key))
                if isinstance(result, Job):
                    details['after']['job'] = result.pk
                written = _write(actor, action, row, key, name, details, using)
        return result

    result = transactions.retried(transact, using)
    if written is not None and several is not None:
        several.entry = written
        if len(several.ids) < LISTED:
            several.ids = written.details['ids']
    return result


@contextmanager
def several(action: str, filter: Mapping[str, Any], actor: Actor | None = None) -> Iterator[None]:
    """Record the actions in this block, which are of one kind, as one entry that counts them.

    Args:
        action: One of `AuditEntry.ACTIONS`.
        filter: Which objects were chosen.
        actor: Who acts, if it is not who acts in the calling code.

    Raises:
        ValueError: The trail has no such action.
    """
    _check(action)
    actor = actor or actors.current()
    if actor is None:
        yield
        return
    chosen = _Several(action, dict(filter))
    token = _several.set(chosen)
    try:
        with actors.acting_as(actor):
            yield
    finally:
        _several.reset(token)
        if chosen.entry is not None:
            using = chosen.entry._state.db or database()
            _announce(chosen.entry.pk, using)


def record_deletion(rows: Iterable[tuple[int, str]], using: str) -> None:
    """Record the deletion of a queryset of jobs, in the transaction of the caller, if it is known who deletes them.

    Args:
        rows: The keys of the jobs and their statuses.
        using: The alias of the database.
    """
    actor, rows = actors.current(), list(rows)
    if actor is None or not rows:
        return
    statuses: dict[str, int] = {}
    for _pk, status in rows:
        statuses[status] = statuses.get(status, 0) + 1
    details = {'before': {'status': statuses}, 'after': {}, 'ids': [pk for pk, _status in rows[:LISTED]]}
    entry = _new(actor, 'delete', 'job', details, count=len(rows))
    entry.save(using=using)
    _announce(entry.pk, using)


def _check(action: str) -> None:
    """Raise `ValueError` for an action that the trail does not know: no filter and no translation would have it."""
    if action not in _ACTIONS:
        raise ValueError(
            f'{action!r} is not an action of the audit trail; expected one of {", ".join(_ACTIONS)}. '
            'Add a new action to AuditEntry.ACTIONS.'
        )


def _state(row: Any, using: str, key: Any = None) -> dict[str, Any]:
    """Return what the database says of a row now; nothing if it has none."""
    model = type(row)
    fields = _TYPES[model][1]
    rows = model._default_manager.using(using).filter(pk=row.pk if key is None else key)
    if model in _EXISTS:
        return {_EXISTS[model]: rows.exists()}
    return rows.values(*fields).first() or {}


def _difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return what has changed; of a deleted row, all that is known of it."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {side: {name: found[name] for name in names if name in found} for side, found in
            (('before', before), ('after', after))}  # fmt: skip


def _new(actor: Actor, action: str, kind: str, details: dict[str, Any], **values: Any) -> AuditEntry:
    return AuditEntry(
        user_id=actor.user_id,
        actor=storable_text(actor.name)[:200],
        face=actor.face,
        action=action,
        object_type=kind,
        details=storable_data(details, 'details'),
        **values,
    )


def _write(actor: Actor, action: str, row: Any, key: Any, name: str, details: dict[str, Any], using: str) -> AuditEntry:
    kind = _TYPES[type(row)][0]
    named = {'object_id': str(key)[:100], 'object_name': storable_text(name)[:200]}
    entry = _new(actor, action, kind, details, **named)
    entry.save(using=using)
    _announce(entry.pk, using)
    return entry


def _add(several: _Several, actor: Actor, row: Any, key: Any, using: str) -> AuditEntry:
    """Count one more object of an action on several: on its entry, which the first object makes."""
    ids = [*several.ids, key][:LISTED]
    details = {'filter': several.filter, 'ids': ids}
    if several.entry is not None:
        changes: dict[str, Any] = {'count': F('count') + 1}
        if len(ids) > len(several.ids):
            changes['details'] = storable_data(details, 'details')
        if AuditEntry.objects.using(using).filter(pk=several.entry.pk).update(**changes):
            several.entry.details = details
            return several.entry
    entry = _new(actor, several.action, _TYPES[type(row)][0], details)
    entry.save(using=using)
    return entry


def _announce(key: int, using: str) -> None:
    def send() -> None:
        entry = AuditEntry.objects.using(using).filter(pk=key).first()
        if entry is not None:
            job_audited.send_robust(sender=AuditEntry, entry=entry)

    transactions.after_commit(send, using)

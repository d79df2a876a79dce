"""The audit trail, as pages and the terminal read it."""

from typing import Any

from django.db.models import QuerySet

from ..models import AuditEntry, Job, Schedule, database

#: The permission to see the trail.
VIEW = 'netbox_jobs.view_auditentry'
#: How many actions the page of a job or a schedule shows, and how many actions on several jobs are looked through.
SHOWN, LOOKED_THROUGH = 20, 50


def entries() -> 'QuerySet[AuditEntry]':
    """Return all entries, the newest first."""
    return AuditEntry.objects.using(database()).order_by('-pk')


def entries_of(row: Job | Schedule) -> list[AuditEntry]:
    """Return the latest actions on a job or a schedule, the newest first.

    Of actions on several jobs, the newest since the job was created are looked through for its key.
    """
    if isinstance(row, Schedule):
        return list(_about('schedule', row.pk)[:SHOWN])
    found = list(_about('job', row.pk)[:SHOWN])
    several = _about('job', '').filter(created__gte=row.created)[:LOOKED_THROUGH]
    found += [entry for entry in several if row.pk in entry.details.get('ids', ())]
    return sorted(found, key=lambda entry: -entry.pk)[:SHOWN]


def _about(kind: str, key: Any) -> 'QuerySet[AuditEntry]':
    return entries().filter(object_type=kind, object_id=str(key))


def changes(entry: AuditEntry) -> str:
    """Return what an action changed in one line: 'status: pending → canceled'; its filter, if it was on several."""
    details = entry.details
    if 'filter' in details:
        return ', '.join(f'{name}={value}' for name, value in details['filter'].items())
    before, after = details.get('before', {}), details.get('after', {})
    names = dict.fromkeys([*before, *after])
    return ', '.join(f'{name}: {_value(before.get(name))} → {_value(after.get(name))}' for name in names)


def _value(value: Any) -> str:
    return '-' if value in (None, '') else str(value)

"""The command about the audit trail."""

from argparse import Namespace

from ..core import formatting
from ..models import AuditEntry
from ..monitoring import audit
from . import lookup
from .exits import SUCCESS
from .screen import Cell, Column, Screen, Table


def list_entries(screen: Screen, options: Namespace) -> int:
    """`jobs audit`."""
    rows = audit.entries()
    if options.action:
        rows = rows.filter(action=options.action)
    if options.user:
        rows = rows.filter(user_id=lookup.user(options.user).pk)
    if options.since:
        rows = rows.filter(created__gte=lookup.since(options.since))
    for kind in ('job', 'schedule', 'queue'):
        if key := getattr(options, kind):
            rows = rows.filter(object_type=kind, object_id=key)
    found = list(rows[: options.limit])
    if options.json:
        screen.json([_document(entry) for entry in found])
    else:
        screen.table(_table(found), 'The audit trail has no such entry.')
    return SUCCESS


def _document(entry: AuditEntry) -> dict[str, object]:
    return {
        'id': entry.pk,
        'time': formatting.iso(entry.created),
        'actor': entry.actor,
        'user': entry.user_id if isinstance(entry.user_id, int | None) else str(entry.user_id),
        'face': entry.face,
        'action': entry.action,
        'type': entry.object_type,
        'object': entry.object_id,
        'name': entry.object_name,
        'count': entry.count,
        'details': entry.details,
    }


def _table(found: list[AuditEntry]) -> Table:
    table = Table(
        (
            Column('time'),
            Column('by', flexible=True),
            Column('action'),
            Column('object', flexible=True),
            Column('change', flexible=True),
        )
    )
    for entry in found:
        about = f'{entry.object_type} {entry.object_id or f"({entry.count})"}'
        named = f' ({entry.object_name})' if entry.object_name not in ('', entry.object_id) else ''
        table.rows.append(
            [
                Cell(formatting.full_moment(entry.created), brief=formatting.moment(entry.created)),
                Cell(entry.actor),
                Cell(entry.action),
                Cell(about + named),
                Cell(audit.changes(entry)),
            ]
        )
    return table

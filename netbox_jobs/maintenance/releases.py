"""When releases of the project first ran: what the page of errors calls new is new since the latest of them."""

import socket
from datetime import datetime

from ..core import conf
from ..core.text import storable_text
from ..models import AuditEntry, database

#: The type, and the action, of the entry of the audit trail that a release has.
RELEASE = 'release'


def record() -> None:
    """Note that a worker runs the release that the settings name, unless one has before: the first one is kept."""
    name = str(conf.get('RELEASE'))
    if not name:
        return
    key = storable_text(name)[:100]
    rows = AuditEntry.objects.using(database())
    if not rows.filter(object_type=RELEASE, object_id=key).exists():
        rows.create(
            actor=f'worker on {socket.gethostname()}'[:200],
            face='worker',
            action=RELEASE,
            object_type=RELEASE,
            object_id=key,
            object_name=key,
        )


def latest() -> tuple[str, datetime] | None:
    """Return the name of the latest release and when a worker first ran it; None if `RELEASE` was never set."""
    rows = AuditEntry.objects.using(database()).filter(object_type=RELEASE).order_by('-pk')
    return rows.values_list('object_id', 'created').first()

"""Database sessions of the dead: one whose client has vanished keeps its locks until somebody ends it."""

import logging

from django.db import Error as DBError
from django.db import connections

from .models import Job, transitions

logger = logging.getLogger('netbox_jobs')

# Only a session that was there when the job was claimed, and is in the middle of something: the numbers of sessions
# are used again, and behind a pooler a session serves one client after the other.
_END = {
    'postgresql': (
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND backend_start <= %s '
        "AND state LIKE 'idle in transaction%%' AND datname = current_database()"
    ),
    'mysql': 'SELECT id FROM information_schema.processlist WHERE id = %s AND db = DATABASE()',
}


def end(job: Job) -> bool:
    """End the database session in which a dead worker ran the job, if it is still there; else say who is in the way."""
    connection = connections[job._state.db or transitions.database()]
    query = _END.get(connection.vendor)
    if query is None or job.backend_id is None:
        return False
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                query, [job.backend_id, job.started] if connection.vendor == 'postgresql' else [job.backend_id]
            )
            found = cursor.fetchone()
            if found and connection.vendor == 'mysql':
                cursor.execute('KILL CONNECTION %s', [job.backend_id])
    except DBError as error:
        logger.error('Job %s: session %s of its dead worker could not be ended (%s).', job.pk, job.backend_id, error)
        return False
    if found:
        logger.warning('Job %s: session %s of its dead worker was ended; it held locks.', job.pk, job.backend_id)
    else:
        logger.warning('Job %s: somebody else than its dead worker holds a lock on it; it is tried again.', job.pk)
    return bool(found)

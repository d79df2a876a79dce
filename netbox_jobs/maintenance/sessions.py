"""Database sessions of dead workers: one whose client has vanished keeps its locks until it is ended."""

import logging

from django.db import Error as DBError
from django.db import connections

from ..core import conf
from ..models import Job, database

logger = logging.getLogger('netbox_jobs')

# PostgreSQL uses the numbers of sessions again, and behind a pooler a session serves one client after the other. So
# only one is ended that has been idle in the middle of something since before its worker was declared dead.
_FIND = {
    'postgresql': (
        'SELECT pid FROM pg_stat_activity WHERE pid = %s AND pid <> pg_backend_pid() '
        "AND datname = current_database() AND state LIKE 'idle in transaction%%' "
        "AND state_change < now() - %s * interval '1 second'"
    ),
    # Whether it is in a transaction would take the PROCESS privilege; but its numbers are not used again.
    'mysql': (
        'SELECT id FROM information_schema.processlist WHERE id = %s AND id <> CONNECTION_ID() AND db = DATABASE() '
        "AND command = 'Sleep' AND time >= %s"
    ),
}
_END = {'postgresql': 'SELECT pg_terminate_backend(%s)', 'mysql': 'KILL CONNECTION %s'}


def end(job: Job) -> bool:
    """End the database session in which a dead worker ran the job, if it is still there; else log what is in the way.

    Returns:
        Whether there was such a session, and it was ended.
    """
    connection = connections[job._state.db or database()]
    if connection.vendor not in _FIND or job.backend_id is None:
        return False
    try:
        with connection.cursor() as cursor:
            cursor.execute(_FIND[connection.vendor], [job.backend_id, int(conf.get('WORKER_TIMEOUT') / 2)])
            found = cursor.fetchone()
            if found:
                cursor.execute(_END[connection.vendor], [job.backend_id])
    except DBError as error:
        logger.error('Job %s: session %s of its dead worker could not be ended (%s).', job.pk, job.backend_id, error)
        return False
    if found:
        logger.warning('Job %s: session %s of its dead worker was ended; it held locks.', job.pk, job.backend_id)
    else:
        logger.warning('Job %s: another session holds a lock on it; recovery tries again.', job.pk)
    return bool(found)

"""The open transaction of a running job, as its database server tells: what holds its locks, and for how long."""

from dataclasses import dataclass
from typing import Any

from django.db import Error as DBError
from django.db import connections, transaction

from ..models import Job, database

# The seconds since it began, those since its last statement, and whether a statement runs now. A transaction that is
# older than the job is another client's, behind a pooler. MariaDB wants the privilege PROCESS.
_FIND = {
    'postgresql': (
        'SELECT extract(epoch FROM now() - xact_start), extract(epoch FROM now() - state_change), '
        "state = 'active' FROM pg_stat_activity WHERE pid = %s AND pid <> pg_backend_pid() "
        'AND datname = current_database() AND xact_start >= %s'
    ),
    'mysql': (
        'SELECT timestampdiff(SECOND, t.trx_started, now()), p.time, t.trx_query IS NOT NULL '
        'FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id '
        'WHERE t.trx_mysql_thread_id = %s AND p.id <> CONNECTION_ID()'
    ),
}


@dataclass(frozen=True)
class OpenTransaction:
    """A transaction that a job has begun and not ended."""

    #: Seconds since it began.
    age: float
    #: Seconds since its last statement began or ended.
    quiet: float
    #: Whether a statement runs at this moment.
    active: bool


def of_job(job: Job) -> OpenTransaction | None:
    """Return the open transaction of a running job; None without one, or where the server does not tell."""
    using = job._state.db or database()
    connection = connections[using]
    if connection.vendor not in _FIND or job.backend_id is None or job.started is None:
        return None
    given: list[Any] = [job.backend_id, job.started] if connection.vendor == 'postgresql' else [job.backend_id]
    try:
        # A refusal must not spoil the transaction of a request.
        with transaction.atomic(using=using), connection.cursor() as cursor:
            cursor.execute(_FIND[connection.vendor], given)
            found = cursor.fetchone()
    except DBError:
        return None
    return OpenTransaction(max(float(found[0]), 0), max(float(found[1] or 0), 0), bool(found[2])) if found else None

"""Whether this process can do its work: the database, the tables, and Redis."""

from collections.abc import Callable
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DBError
from django.db import connections

from ..broker import connection
from ..core import queues
from ..models import Job, Worker, database


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    #: What is wrong; empty if nothing is.
    text: str = ''
    #: Whether the site cannot do without it. Without Redis, jobs are stored, and run later.
    required: bool = True
    #: What the driver said: with names of servers and users, so not for everyone.
    detail: str = ''


def look() -> list[Check]:
    """Look at the database, the tables of jobs, and each Redis server; each within short limits."""
    found = [database_answer()]
    if found[0].ok:
        found.append(_tables())
    return [*found, _redis()]


def ready(checks: list[Check]) -> bool:
    """Return whether a process with these checks can do its work."""
    return all(check.ok for check in checks if check.required)


def database_answer() -> Check:
    """Look whether the database answers."""

    def ask() -> None:
        with connections[database()].cursor() as cursor:
            cursor.execute('SELECT 1')
            cursor.fetchone()

    return _asked('database', ask, 'The database does not answer')


def _tables() -> Check:
    def ask() -> None:
        Worker.objects.using(database()).only('version').first()
        Job.objects.using(database()).values('pk', 'slot').order_by('-pk').first()

    return _asked('tables', ask, 'The tables of jobs cannot be read: run "manage.py migrate"')


def _asked(name: str, ask: Callable[[], None], text: str) -> Check:
    try:
        ask()
    except (DBError, ImproperlyConfigured) as error:
        connections[database()].close_if_unusable_or_obsolete()
        detail = ' '.join(str(error).split())
        return Check(name, False, f'{text} ({type(error).__name__}).', detail=f'{type(error).__name__}: {detail}')
    return Check(name, True)


def _redis() -> Check:
    silent = unanswered_queues()
    if not silent:
        return Check('redis', True, required=False)
    return Check('redis', False, f'Redis does not answer, for the queues {", ".join(silent)}.', required=False)


def unanswered_queues() -> list[str]:
    """Return the queues whose Redis does not answer now."""
    try:
        names = [name for name in queues.configured() if queues.is_async(name)]
    except ImproperlyConfigured:
        return []
    return [name for name in names if not connection.answers(name)]

"""How much one statement may hold: a server that is given more ends the session instead of saying why."""

from django.apps import apps
from django.db import Error as DBError
from django.db import connections, router
from django.db.transaction import TransactionManagementError

#: Values below so many characters are taken by any server, and not looked at.
SMALL = 500_000
#: What a statement holds beside one large value.
_REST = 100_000
# By the alias of the database: the bytes that its server takes; None for no limit.
_known: dict[str, int | None] = {}


def check_size(encoded: str, name: str) -> None:
    """Check that a text fits into one statement.

    Raises:
        ValueError: It does not; the message says how much it is, and how much the server takes.
    """
    if len(encoded) < SMALL:
        return
    limit = _limit()
    if limit is None:
        return
    escaped = sum(encoded.count(character) for character in '"\'\\')  # each takes two bytes on its way
    size = len(encoded.encode(errors='replace')) + escaped
    if size > limit - _REST:
        raise ValueError(
            f'{name} takes {size:,} bytes; the database server takes statements of {limit:,} bytes at most '
            '(max_allowed_packet). Store large results in a file, and its path in job.data.'
        )


def _limit() -> int | None:
    using = router.db_for_write(apps.get_model('netbox_jobs.Job'))
    if connections[using].vendor != 'mysql':
        return None
    if using not in _known:
        try:
            with connections[using].cursor() as cursor:
                cursor.execute('SELECT @@max_allowed_packet')
                _known[using] = int(cursor.fetchone()[0])
        except (DBError, TransactionManagementError):  # asked again next time
            return None
    return _known[using]

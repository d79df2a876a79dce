"""What text the tables can hold: on MariaDB and MySQL, that depends on the character set of the database."""

import logging
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.apps import apps
from django.core.exceptions import SynchronousOnlyOperation
from django.db import Error as DBError
from django.db import connections, router
from django.db.transaction import TransactionManagementError

logger = logging.getLogger('netbox_jobs')

_ASTRAL = re.compile('[\U00010000-\U0010ffff]')
#: Python's names of the character sets that do not hold all of Unicode, beside the two of three bytes.
_CODECS = {'latin1': 'cp1252', 'latin2': 'iso8859-2', 'ascii': 'ascii', 'cp1250': 'cp1250', 'cp1251': 'cp1251'}
_THREE_BYTES = {'utf8', 'utf8mb3', 'ucs2'}

# By the alias of the database: the narrowest of the character sets that text passes through.
_known: dict[str, str] = {}


def escaped(text: str) -> str:
    """Return the text with what the tables of jobs cannot hold written as `\\U0001f600`."""
    using = router.db_for_write(apps.get_model('netbox_jobs.Job'))
    if connections[using].vendor != 'mysql':
        return text
    found = narrowest(using)
    if found in _THREE_BYTES:
        return _ASTRAL.sub(lambda match: f'\\U{ord(match[0]):08x}', text)
    codec = _CODECS.get(found)
    return text.encode(codec, 'backslashreplace').decode(codec) if codec else text


def narrowest(using: str) -> str:
    """Return the character set that limits what the tables of jobs hold; 'utf8mb4' is all of Unicode.

    It is asked for once in a process, and at first when some text is not ASCII.
    """
    if using in _known:
        return _known[using]
    try:
        sets = _read_anywhere(using)
    except (DBError, TransactionManagementError):  # the text is what the caller is about; that it cannot be asked, too
        return 'utf8mb4'
    _known[using] = next((name for name in sets if name != 'utf8mb4'), 'utf8mb4')
    if _known[using] != 'utf8mb4':
        logger.warning(
            'The tables of jobs are in the character set %s, which lacks emoji and more: such text is escaped. Convert '
            'the database to utf8mb4.', _known[using],
        )  # fmt: skip
    return _known[using]


def _read_anywhere(using: str) -> list[str]:
    try:
        return _read(using)
    except SynchronousOnlyOperation:  # a coroutine logs, for one
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(_read_apart, using).result()


def _read(using: str) -> list[str]:
    job: Any = apps.get_model('netbox_jobs.Job')
    log: Any = apps.get_model('netbox_jobs.JobLogEntry')
    with connections[using].cursor() as cursor:
        cursor.execute(
            'SELECT DISTINCT character_set_name FROM information_schema.columns WHERE table_schema = DATABASE() AND '
            '((table_name = %s AND column_name = %s) OR (table_name = %s AND column_name = %s)) '
            'UNION SELECT @@character_set_client',
            [job._meta.db_table, 'error', log._meta.db_table, 'message'],
        )
        return [str(row[0]) for row in cursor.fetchall() if row[0]]


def _read_apart(using: str) -> list[str]:
    try:
        return _read(using)
    finally:
        connections[using].close()


def forget() -> None:
    """Ask again: the tables may have been converted."""
    _known.clear()

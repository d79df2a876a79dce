"""What text the tables can hold: on MariaDB and MySQL, that depends on the character set of the database."""

import logging
import re
from concurrent.futures import ThreadPoolExecutor

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

# By the alias of the database and the kind of column: the narrowest of the character sets that text passes through.
_known: dict[tuple[str, str], str] = {}
#: Kinds of columns: those of keys of objects, which migrations make in all of Unicode, and all others.
OBJECT_KEYS, TEXTS = 'object_id', ''


def escaped(text: str, kind: str = TEXTS) -> str:
    """Return the text with what the tables of jobs cannot hold written as `\\U0001f600`."""
    using = router.db_for_write(apps.get_model('netbox_jobs.Job'))
    if connections[using].vendor != 'mysql':
        return text
    found = narrowest(using, kind)
    if found in _THREE_BYTES:
        return _ASTRAL.sub(lambda match: f'\\U{ord(match[0]):08x}', text)
    codec = _CODECS.get(found)
    return text.encode(codec, 'backslashreplace').decode(codec) if codec else text


def narrowest(using: str, kind: str = TEXTS) -> str:
    """Return the character set that limits what the tables of jobs hold; 'utf8mb4' is all of Unicode.

    It is asked for once in a process, and at first when some text is not ASCII.
    """
    if (using, kind) in _known:
        return _known[using, kind]
    try:
        sets = _read_anywhere(using)
    except (DBError, TransactionManagementError):  # the text is what the caller is about; that it cannot be asked, too
        return 'utf8mb4'
    for each in (OBJECT_KEYS, TEXTS):
        found = [name for name, keys in sets if name != 'utf8mb4' and keys in (None, each == OBJECT_KEYS)]
        _known[using, each] = found[0] if found else 'utf8mb4'
    if _known[using, TEXTS] != 'utf8mb4':
        logger.warning(
            'The tables of jobs are in the character set %s, which lacks emoji and more: such text is escaped. Convert '
            'the database to utf8mb4.', _known[using, TEXTS],
        )  # fmt: skip
    return _known[using, kind]


def _read_anywhere(using: str) -> list[tuple[str, bool | None]]:
    try:
        return _read(using)
    except SynchronousOnlyOperation:  # a coroutine logs, for one
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(_read_apart, using).result()


def _read(using: str) -> list[tuple[str, bool | None]]:
    """Return each character set, and whether the columns that have it are keys of objects; None for all columns."""
    models = apps.get_app_config('netbox_jobs').get_models(include_auto_created=True)
    fields = [field for model in models for field in model._meta.local_concrete_fields]
    tables = {field.model._meta.db_table for field in fields}
    keys = {
        f'{field.model._meta.db_table}.{field.column}' for field in fields if getattr(field, 'kind', '') == OBJECT_KEYS
    }
    with connections[using].cursor() as cursor:
        cursor.execute(
            # Of placeholders alone.
            "SELECT DISTINCT character_set_name, CONCAT(table_name, '.', column_name) "  # nosec B608
            f'IN ({", ".join(["%s"] * len(keys))}) FROM information_schema.columns '
            f'WHERE table_schema = DATABASE() AND table_name IN ({", ".join(["%s"] * len(tables))}) '
            'UNION SELECT @@character_set_client, NULL',
            [*keys, *tables],
        )
        return [(str(name), None if keyed is None else bool(keyed)) for name, keyed in cursor.fetchall() if name]


def _read_apart(using: str) -> list[tuple[str, bool | None]]:
    try:
        return _read(using)
    finally:
        connections[using].close()


def forget() -> None:
    """Ask again: the tables may have been converted."""
    _known.clear()

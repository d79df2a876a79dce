"""A database URL as an entry of Django's `DATABASES`."""

from typing import Any
from urllib.parse import unquote, urlsplit

#: What SQLite needs, so that several processes may write: see the system check netbox_jobs.W001.
SQLITE_OPTIONS = {
    'transaction_mode': 'IMMEDIATE',
    'timeout': 20,
    'init_command': 'PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL',
}
_ENGINES = {'postgres': 'postgresql', 'postgresql': 'postgresql', 'mysql': 'mysql', 'mariadb': 'mysql'}


def database(url: str) -> dict[str, Any]:
    """Return the settings for `sqlite:///<path>`, `postgres://...` or `mysql://user:password@host:port/name`.

    Raises:
        ValueError: The scheme is another.
    """
    parts = urlsplit(url)
    if parts.scheme == 'sqlite':
        return {
            'ENGINE': 'django.db.backends.sqlite3',
            'NAME': parts.path[1:],
            'OPTIONS': SQLITE_OPTIONS,
            'TEST': {'NAME': f'{parts.path[1:]}.test'},  # a file, not memory: workers are processes of their own
        }
    if parts.scheme not in _ENGINES:
        raise ValueError(f'{url!r}: expected sqlite:///, postgres:// or mysql://.')
    engine = _ENGINES[parts.scheme]
    if engine == 'mysql':
        _use_mysql_driver()
    return {
        'ENGINE': f'django.db.backends.{engine}',
        'NAME': parts.path[1:],
        'HOST': parts.hostname or '127.0.0.1',
        'PORT': str(parts.port or ''),
        'USER': unquote(parts.username or ''),
        'PASSWORD': unquote(parts.password or ''),
        'OPTIONS': {'charset': 'utf8mb4'} if engine == 'mysql' else {},
        'TEST': {'NAME': f'test_{parts.path[1:]}', **({'CHARSET': 'utf8mb4'} if engine == 'mysql' else {})},
    }


def _use_mysql_driver() -> None:
    """mysqlclient if it is installed, else PyMySQL, which needs no compiler."""
    try:
        import MySQLdb  # noqa: F401
    except ImportError:
        import pymysql

        pymysql.version_info = (2, 2, 8, 'final', 0)  # the version of mysqlclient that Django asks for
        pymysql.install_as_MySQLdb()

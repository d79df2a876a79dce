"""What is wrong with an installation: each finding says what was seen, and what to do about it."""

from collections.abc import Callable, Iterator

from .. import health
from . import servers, settings, work
from .finding import ERROR, INFO, WARNING, Finding

__all__ = ('ERROR', 'INFO', 'WARNING', 'Finding', 'examine')


def examine(sleep: Callable[[float], None]) -> Iterator[Finding]:
    """Examine the settings, the servers, the workers, the queues and the schedules.

    Args:
        sleep: How to wait, while the heartbeats of the workers are watched.
    """
    yield from settings.findings()
    checks = {check.name: check for check in health.look()}
    if not checks['database'].ok:
        yield Finding(
            'database.away',
            ERROR,
            checks['database'].text,
            'Start the database, and look at the setting DATABASES. Nothing else could be examined.',
        )
        return
    migrations = list(servers.migrations())
    yield from migrations
    yield from servers.database_server()
    yield from servers.redis_servers()
    if not migrations:
        yield from work.findings(sleep)

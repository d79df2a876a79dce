"""What is wrong with an installation: each finding says what was seen, and what to do about it."""

from collections.abc import Callable, Iterator

from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DBError

from ...core import formatting
from ...models import database
from .. import health
from . import redis_servers, servers, settings, work
from .finding import ERROR, INFO, WARNING, Finding

__all__ = ('ERROR', 'INFO', 'WARNING', 'Finding', 'examine')


def examine(sleep: Callable[[float], None]) -> Iterator[Finding]:
    """Examine the settings, the servers, the workers, the queues and the schedules.

    Args:
        sleep: How to wait, while the heartbeats of the workers are watched.
    """
    answer = health.database_answer()
    parts = [settings.findings(ask_database=answer.ok), redis_servers.findings()]
    if answer.ok:
        parts.append(_by_the_database(sleep))
    seen = set()
    for part in parts:
        for each in _as_far_as_possible(part):
            if each not in seen:
                seen.add(each)
                yield each
    if not answer.ok:
        yield _away(answer.detail)


def _by_the_database(sleep: Callable[[float], None]) -> Iterator[Finding]:
    migrations = list(servers.migrations())
    yield from migrations
    yield from servers.database_server()
    if not migrations:
        yield from work.findings(sleep)


def _as_far_as_possible(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Yield the findings until wrong settings, or a database that has gone meanwhile, end the examination."""
    try:
        yield from findings
    except ImproperlyConfigured as error:
        yield Finding(
            'settings.unusable',
            ERROR,
            f'The examination ended early, since settings cannot be used: {formatting.first_line(error)}',
            'Correct them, then run "manage.py jobs doctor" again.',
        )
    except DBError as error:
        yield _away(f'{type(error).__name__}: {" ".join(str(error).split())}')


def _away(said: str) -> Finding:
    using = database()
    return Finding(
        'database.away',
        ERROR,
        f'The database {using!r} does not answer: {said}',
        f'Start it, or correct DATABASES[{using!r}]. The workers, the queues and the schedules were not examined.',
    )

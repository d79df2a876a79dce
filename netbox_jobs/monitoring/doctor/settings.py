"""What the system checks say of the settings, and which of them are for development alone."""

from collections.abc import Iterator

from django.core import checks
from django.core.checks.registry import registry
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DBError

from ...core import conf, queues
from ...models import database
from .finding import ERROR, INFO, WARNING, Finding


def findings(*, ask_database: bool) -> Iterator[Finding]:
    """Yield what the system checks of netbox_jobs report, and the queues that need no worker.

    Args:
        ask_database: Whether the checks that ask the database can be run.
    """
    for message in _messages([database()] if ask_database else []):
        if (message.id or '').startswith('netbox_jobs.') and not message.is_silenced():
            level = ERROR if message.level >= checks.ERROR else WARNING
            advice = message.hint or 'The reference of system checks says more about it.'
            yield Finding(f'check.{(message.id or "").rpartition(".")[2]}', level, message.msg, advice)
    if not conf.get('DELIVER'):
        yield Finding(
            'settings.delivery',
            ERROR,
            "NETBOX_JOBS['DELIVER'] is False, which is meant for tests: what it enqueues is not handed to Redis.",
            'Remove it from the settings of this process.',
        )
    try:
        inline = [name for name in queues.configured() if not queues.is_async(name)]
    except ImproperlyConfigured:
        return
    if inline:
        yield Finding(
            'queues.inline',
            INFO,
            f"RQ_QUEUES says 'ASYNC': False for the queues {', '.join(inline)}: the process that enqueues a job runs "
            'it, and the request waits for it.',
            "Remove 'ASYNC' where workers are to run the jobs.",
        )


def _messages(databases: list[str]) -> Iterator[checks.CheckMessage]:
    """Run each check, also if one before it breaks: a wrong setting breaks those of others that need it."""
    for check in registry.get_checks():
        try:
            yield from check(app_configs=None, databases=databases)
        except (ImproperlyConfigured, DBError):
            pass  # its setting is reported by the check for it, or ends the examination; so is the database

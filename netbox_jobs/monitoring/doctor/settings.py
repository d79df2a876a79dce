"""What the system checks say of the settings."""

from collections.abc import Iterator

from django.core import checks

from ...models import database
from .. import health
from .finding import ERROR, WARNING, Finding


def findings() -> Iterator[Finding]:
    """Yield what the system checks of netbox_jobs report."""
    for message in checks.run_checks(databases=[database()] if _answers() else []):
        if (message.id or '').startswith('netbox_jobs.') and not message.is_silenced():
            level = ERROR if message.level >= checks.ERROR else WARNING
            advice = message.hint or 'The reference of system checks says more about it.'
            yield Finding(f'check.{(message.id or "").rpartition(".")[2]}', level, message.msg, advice)


def _answers() -> bool:
    """Return whether the checks that ask the database can be run."""
    return health.look()[0].ok

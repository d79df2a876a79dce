"""The SQL of claim and end, made once in the parent, so that its child processes share it."""

from django.db import connections

from ..choices import JobStatusChoices
from ..core import identity
from ..core.claim import Claim
from ..models import Job, cached_sql
from .claim import rehearse
from .finish import outcome_values


def warm_up(using: str) -> None:
    """Make the SQL by which jobs are claimed and ended, so that no child process has to."""
    rehearse(using)
    connection = connections[using]
    cached_sql.converters(connection)
    claim = Claim(job=1, token=identity.process_token(), attempt=1, database=using, since=0.0)
    for job in (Job(pk=1), Job(pk=1, data={})):
        job.claim = claim
        _status, values = outcome_values(job, JobStatusChoices.STATUS_COMPLETED, None)
        cached_sql.made_ready(connection, values, {'id': job.pk, **claim.conditions})

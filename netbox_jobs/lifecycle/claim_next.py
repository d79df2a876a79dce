"""The end of one job and the claim on the next in one statement: a round trip and a commit less for each job."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import connections
from django.utils import timezone

from ..core import identity
from ..models import Job, cached_sql
from . import claim_sql
from .announcements import is_silent


class NextClaim:
    """What a process runs next, if the job before it ends so that nothing comes between."""

    def __init__(self, offer: Callable[[], str | None]) -> None:
        """Args:
        offer: Returns the `job_id` of the next job, or None; called when the job before it has ended.
        """
        self._offer = offer
        #: The next job, whose row this process has claimed.
        self.job: Job | None = None

    def update(self, job: Job, using: str, values: dict[str, Any], conditions: dict[str, Any]) -> int:
        """Write the end of a job, and claim the next one with the same statement where that is possible.

        Args:
            job: The job that ends.
            using: The alias of the database.
            values: The columns of its terminal UPDATE.
            conditions: The conditions of that.

        Returns:
            How many rows have ended.

        Raises:
            OperationalError: Another transaction keeps the row locked; see `cached_sql.impatient()`.
        """
        connection = connections[using]
        made = None
        if connection.vendor == 'postgresql' and not connection.in_atomic_block and is_silent(job):
            made = cached_sql.made_ready(connection, values, conditions)
        if made is None or (offered := self._offer()) is None:
            return cached_sql.update(using, values, conditions, patient=False)
        key, now = UUID(offered), timezone.now()
        claiming, given, known = claim_sql.statement_for(key, identity.process_token(), now, connection)
        # The row that says how many have ended comes also if the next job is not there to be claimed.
        # Of two statements that Django has made; values are parameters.
        text = (
            f'WITH ended AS ({cached_sql.impatient(made[0], connection)} RETURNING 1), claimed AS ({claiming}) '  # nosec B608
            'SELECT (SELECT COUNT(*) FROM ended), claimed.* FROM (SELECT 1) AS once LEFT JOIN claimed ON TRUE'
        )
        with claim_sql.answered(key, now):
            ended, *row = cached_sql.execute(connection, text, [*made[1], *given], lambda cursor: cursor.fetchone())
        if row[0] is not None:
            self.job = claim_sql.loaded(row, known, connection)
        return int(ended)

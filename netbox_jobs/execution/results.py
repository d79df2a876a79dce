"""What the members of a workflow have stored, as the runs of others read it."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from ..choices import JobStatusChoices
from ..models import Job, WorkflowMember
from ..models.workflows import key_of


class Results(Mapping[str, Any]):
    """The `data` of the members of a workflow that have completed, by their names; read when it is asked for."""

    def __init__(self, job: Job) -> None:
        """Args:
        job: A member, or a callback; without a workflow, there are no results.
        """
        self._job = job

    def __getitem__(self, name: str) -> Any:
        """Return the data of a member.

        Raises:
            KeyError: There is no such member, or it has not completed.
        """
        found = self._members().filter(key=key_of(name)).values_list('job__data', flat=True)[:1]
        if not found:
            raise KeyError(
                f'{name!r} is no member of workflow {self._job.workflow_id} that has completed; these are: '
                f'{", ".join(self._members().values_list("name", flat=True)[:20]) or "none"}.'
            )
        return found[0]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._members().values_list('name', flat=True)))

    def __len__(self) -> int:
        return self._members().count()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._members().filter(key=key_of(name)).exists()

    def _members(self) -> Any:
        members = WorkflowMember.objects.using(self._job._state.db).filter(role='')
        if self._job.workflow_id is None:
            return members.none()
        # By the row of the job: a member's own place may be marked a moment later.
        completed = members.filter(workflow=self._job.workflow_id, job__status=JobStatusChoices.STATUS_COMPLETED)
        return completed.order_by('pk')


class KeepsResults:
    """The part of a runner that has results of others."""

    job: Job

    @cached_property
    def results(self) -> Results:
        """The `data` of the members of the workflow that have completed, by their names."""
        return Results(self.job)

"""`jobs top`: queues, running jobs and the errors of the last hour on one screen, and what its keys do."""

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ..core import formatting
from ..maintenance import bulk_action
from ..models import PausedQueue
from ..monitoring import errors, queues, related, workers
from ..monitoring.errors import ErrorGroup
from ..monitoring.queues import QueueState
from ..monitoring.workers import RunningJob
from . import documents, tables
from .exits import SUCCESS
from .screen import Screen, Table

#: Back to when errors are listed, and how many causes.
PERIOD, CAUSES = timedelta(hours=1), 5
#: The parts of the screen, in the order of the key Tab.
QUEUES, RUNNING, ERRORS = PARTS = ('queues', 'running jobs', 'errors of the last hour')


@dataclass(frozen=True, slots=True)
class _Question:
    text: str
    answer: Callable[[], str]


class Top:
    """What is shown, which row is selected, and what the keys do. Drawing is the screen's task."""

    def __init__(self) -> None:
        self.part = RUNNING
        self.row = 0
        self.said = ''
        self.question: _Question | None = None
        self.queues: list[QueueState] = []
        self.running: list[RunningJob] = []
        self.errors: list[ErrorGroup] = []
        self.look()

    def look(self) -> None:
        """Read what happens now."""
        self.queues = queues.queue_states()
        self.running = workers.running_jobs()
        related.attach_objects([each.job for each in self.running])
        self.errors = errors.groups(PERIOD, limit=CAUSES)
        self.row = max(0, min(self.row, len(self._rows()) - 1))

    def _rows(self) -> list[Any]:
        parts: dict[str, list[Any]] = {QUEUES: [*self.queues], RUNNING: [*self.running], ERRORS: [*self.errors]}
        return parts[self.part]

    @property
    def asked(self) -> str:
        """The question that the next key answers; empty if there is none."""
        return self.question.text if self.question is not None else ''

    @property
    def selected(self) -> Any:
        """The selected queue, job or error; None if the part is empty."""
        rows = self._rows()
        return rows[self.row] if rows else None

    def tables(self) -> dict[str, Table]:
        """Return the table of each part."""
        return {
            QUEUES: tables.queues(self.queues, queues.COUNTED),
            RUNNING: tables.running(self.running),
            ERRORS: tables.error_groups(self.errors),
        }

    def press(self, key: str) -> bool:
        """Do what a key says; return False to quit.

        Args:
            key: A character, 'tab', 'up' or 'down'.
        """
        if self.question is not None:
            question, self.question = self.question, None
            self.said = question.answer() if key in ('y', 'Y') else 'Nothing was done.'
            self.look()
        elif key == 'q':
            return False
        elif key == 'tab':
            self.part, self.row = PARTS[(PARTS.index(self.part) + 1) % len(PARTS)], 0
        elif key in ('down', 'j', 'up', 'k'):
            step = 1 if key in ('down', 'j') else -1
            self.row = max(0, min(self.row + step, len(self._rows()) - 1))
        elif self.selected is not None:
            self._act(key)
        return True

    def _act(self, key: str) -> None:
        acts = {('p', QUEUES): self._pause, ('s', RUNNING): self._stop, ('r', ERRORS): self._retry}
        if act := acts.get((key, self.part)):
            act()

    def _pause(self) -> None:
        name = self.selected.name
        if self.selected.paused is None:
            PausedQueue.pause(name)
            self.said = f'The queue {name} is paused.'
        else:
            PausedQueue.resume(name)
            self.said = f'The queue {name} is resumed.'
        self.look()

    def _stop(self) -> None:
        job = self.selected.job

        def stop() -> str:
            return f'Job {job.pk} is being stopped.' if job.stop() else f'Job {job.pk} has ended already.'

        self.question = _Question(f'Stop job {job.pk} "{formatting.first_line(job.name, 60)}"? [y/N]', stop)

    def _retry(self) -> None:
        group = self.selected

        def retry() -> str:
            acting = bulk_action.act_on_jobs('retry', {'error': group.fingerprint})
            return f'Job {acting.pk} retries them.'

        count = bulk_action.matching('retry', {'error': group.fingerprint}).count()
        jobs = f'all {formatting.number(count)} jobs' if count != 1 else '1 job'
        self.question = _Question(f'Retry {jobs} that ended with "{formatting.cut(group.message, 60)}"? [y/N]', retry)


def show(screen: Screen, options: Namespace) -> int:
    """`jobs top`."""
    top = Top()
    if options.json:
        users = documents.usernames(each.job for each in top.running)
        running = [documents.job(each.job, users.get(each.job.user_id), each.progress) for each in top.running]
        screen.json(
            {
                'queues': [documents.queue(row) for row in top.queues],
                'running': running,
                'errors': [documents.error_group(group) for group in top.errors],
            }
        )
    else:
        screen.live(top, options.every)
    return SUCCESS

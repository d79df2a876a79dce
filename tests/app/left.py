"""Runners whose rows another transaction locks while they run."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner

#: What a test does in the run of this process.
during: list[Callable[[Any], Any]] = []


class Left(JobRunner):
    """Comes to an end of the kind that is asked for, once."""

    class Meta:
        name = 'Left'

    def run(self, how='completes', until=None):
        for act in during:
            act(self.job)
        while until and not Path(until).exists():
            time.sleep(0.02)
        first, self.job.data = self.job.data is None, {'how': how}
        if how == 'changes its interval':
            self.job.interval = 7
        if how == 'fails':
            raise JobFailed('as asked')
        if how in ('raises', 'is retried') and first:
            raise RuntimeError('as asked')
        if how == 'sleeps':
            self.sleep(hours=1)


class LeftRetried(Left):
    class Meta:
        name = 'Left, retried'
        max_retries = 1
        retry_backoff = 0


class LeftCounting(Left):
    """Passes on another argument than it has received."""

    class Meta:
        name = 'Left, counting'

    @classmethod
    def handle(cls, job, *args, turn=0, **kwargs):
        super().handle(job, *args, turn=turn + 1, **kwargs)

    def run(self, turn=0, **kwargs):
        super().run(**kwargs)


class LeftEncrypted(Left):
    class Meta:
        name = 'Left, encrypted'
        encrypted = True

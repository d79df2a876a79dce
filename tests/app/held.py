"""Runners with steps and waits, whose rows another transaction locks while they run."""

from netbox_jobs.jobs import JobRunner

from . import left
from .models import Thing


class HeldStep(JobRunner):
    class Meta:
        name = 'Held, with a step'
        max_retries = 1
        retry_backoff = 0

    def run(self, fail: bool = False) -> None:
        for act in left.during:
            act(self.job)
        self.job.data = [self.step('count', self._count), Thing.objects.count()]
        if fail and self.job.attempt == 1:
            raise RuntimeError('as asked')

    def _count(self) -> int:
        Thing.objects.create(name='counted')
        return Thing.objects.count()


class HeldWait(JobRunner):
    class Meta:
        name = 'Held, with a wait'

    def run(self) -> None:
        for act in left.during:
            act(self.job)
        self.job.data = self.wait_for('go')


class HeldBlock(JobRunner):
    class Meta:
        name = 'Held, with a block'

    def run(self) -> None:
        for act in left.during:
            act(self.job)
        with self.step('store') as step:
            if not step.done:
                Thing.objects.create(name='stored')

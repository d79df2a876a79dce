"""netbox_jobs, with its forking worker."""

import sys

from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job


class NoOp(JobRunner):
    class Meta:
        name = 'No-op'

    def run(self) -> None:
        self.job.data = True


class Lines(JobRunner):
    class Meta:
        name = 'Lines'

    def run(self) -> None:
        for number in range(10):
            self.logger.info('line %s', number)


def enqueue(kind: str) -> None:
    (NoOp if kind == 'noop' else Lines).enqueue()


def worker() -> list[str]:
    return [sys.executable, '-m', 'django', 'rqworker', 'default', '--verbosity', '0']


def done() -> int:
    return Job.objects.filter(status='completed').count()

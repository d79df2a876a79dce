"""What is enqueued by one version and run by another."""

import os

from netbox_jobs.jobs import JobRunner


def note(what, job):
    """Note that this version does something with a job, in one write."""
    with open(os.environ['UPGRADE_NOTES'], 'a') as notes:
        notes.write(f'{what} {job.pk} {os.environ["UPGRADE_VERSION"]}\n')


class Echo(JobRunner):
    """Gives back what it was given."""

    def run(self, owner, when, words):
        note('run', self.job)
        self.logger.info('received %s', words)
        self.progress(1, 2, 'half')
        assert (owner.username in ('old', 'new'), when.tzinfo is not None, words['set']) == (True, True, {1, 2})
        self.job.data = 'echoed'


class Stepping(JobRunner):
    """Its second attempt, in whichever version, has the result of the first."""

    class Meta:
        max_retries = 2
        retry_backoff = 0

    def run(self, words):
        note('run', self.job)
        first = self.step('first', self._first, words)
        if self.job.attempt == 1:
            raise RuntimeError('once')
        self.job.data = sorted(first['set'])

    def _first(self, words):
        note('step', self.job)
        return words


class Recurring(JobRunner):
    """Is run at once, and again in an hour."""

    def run(self, **kwargs):
        note('run', self.job)

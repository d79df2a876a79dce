"""What several tests of the command line use."""

import re
from pathlib import Path

from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner
from netbox_jobs.maintenance import recovery

PAGE = (Path(__file__).parent.parent.parent / 'docs' / 'how-to' / 'command-line.md').read_text()


class FailingOnce(JobRunner):
    class Meta:
        name = 'Failing once'
        max_retries = 1
        retry_backoff = 0
        retry_on = JobFailed

    def run(self):
        self.logger.info('attempt %s', self.job.attempt)
        if self.job.attempt == 1:
            raise JobFailed('\x1b[31mnot\x1b[0m yet')


def work_twice(work):
    """What is run again at once is run again."""
    work()
    recovery.deliver_due()
    work()


def documented_keys(of):
    (row,) = re.findall(rf'^\| {of} \| (.*) \|$', PAGE, re.MULTILINE)
    return re.findall(r'`(\w+)`', re.sub(r'\(`.*?\)', '', row)), [
        re.findall(r'`(\w+)`', group) for group in re.findall(r'\((`.*?)\)', row)
    ]

"""What the chaos test runs: runners that leave a trace of their start and their end."""

import time

from netbox_jobs.jobs import JobRunner

from . import faults
from .traces import trace


class Working(JobRunner):
    """What the chaos test runs: leaves a trace of its start and its end, and does things in between."""

    class Meta:
        name = 'Working'

    def run(self, seconds=0.0, lines=0, how='', fails=0):
        trace(self.job, 'start')
        for number in range(lines):
            self.logger.info('line %s', number)
        if how and (self.job.attempt == 1 or how == 'dies every time'):
            faults.befall(how)
        time.sleep(seconds)
        if self.job.retries < fails:
            raise RuntimeError(f'fails {fails} times')
        trace(self.job, 'end')


class WorkingAgain(Working):
    """The same, and to be run again when its process has died."""

    class Meta:
        name = 'Working again'
        on_crash = 'retry'
        max_crashes = 20


class WorkingTwice(Working):
    """To be run again when its process has died, but not for ever."""

    class Meta:
        name = 'Working twice'
        on_crash = 'retry'
        max_crashes = 2


class WorkingRetried(Working):
    """To be run again when it has failed."""

    class Meta:
        name = 'Working, retried'
        max_retries = 4
        retry_backoff = (0.1, 0.3, 0.5)


class WorkingRetriedAgain(Working):
    """To be run again when it has failed, and when its process has died."""

    class Meta:
        name = 'Working, retried again'
        max_retries = 4
        retry_backoff = (0.1, 0.3, 0.5)
        on_crash = 'retry'
        max_crashes = 20


class WorkingUntilStopped(Working):
    """Ends only when it is stopped: in order, or when its grace is over if it is `deaf`. Its successors just end."""

    class Meta:
        name = 'Working until stopped'
        stop_grace = 2

    def run(self, deaf=False):
        trace(self.job, 'start')
        deadline = time.monotonic() + (50 if self.job.predecessor_id is None else 0)
        while time.monotonic() < deadline:
            time.sleep(0.05)
            if not deaf:
                self.check_canceled()
        trace(self.job, 'end')

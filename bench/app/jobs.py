"""Our jobs."""

import os
import resource
import time

from django_rq import get_connection

from netbox_jobs.jobs import JobRunner, Limit, Rate


class Nothing(JobRunner):
    """Does nothing."""

    class Meta:
        name = 'Nothing'

    def run(self, **kwargs):
        pass


class Limited(Nothing):
    """The same; only so many at once."""

    class Meta:
        name = 'Limited'
        limit = Limit(20)


class Rated(Nothing):
    """The same; only so many within a minute."""

    class Meta:
        name = 'Rated'
        rate = Rate(1_000_000, per=60)


class Urgent(Nothing):
    """The same; before others."""

    class Meta:
        name = 'Urgent'
        priority = 7


class InTurns(Nothing):
    """The same; tenants take turns."""

    class Meta:
        name = 'In turns'
        fair_by = 'tenant'

    def run(self, tenant=0):
        pass


class Sleeping(JobRunner):
    """Waits, as a job does that asks another service."""

    class Meta:
        name = 'Sleeping'

    def run(self, seconds):
        time.sleep(seconds)


class Counting(JobRunner):
    """Counts how often it was run."""

    class Meta:
        name = 'Counting'

    def run(self):
        get_connection('default').incr('bench:runs')


class Telling(JobRunner):
    """Tells when it was started."""

    class Meta:
        name = 'Telling'

    def run(self):
        get_connection('default').rpush('bench:started', time.time())


class Logging(JobRunner):
    """Writes log lines; keeps how long that took, and the peak of its process's memory (MiB) on the way."""

    class Meta:
        name = 'Logging'

    def run(self, lines, message):
        peaks, step = [], max(1, lines // 10)
        for number in range(lines):
            if number % step == 0:
                peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
            self.logger.info(message, number)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        self.job.data = {'peaks': peaks, 'pid': os.getpid()}

"""Runners of workflows, which leave traces of each run."""

import os
import signal

from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner, Unique

from .models import Trace


class Part(JobRunner):
    """Keeps what it is given, and what others have kept; fails on request, or while a retry has not come."""

    class Meta:
        name = 'Part of a workflow'
        on_crash = 'retry'
        max_crashes = 10_000

    def run(self, value=None, reads=(), fails=False, fails_at_first=False, dies_at_first=False):
        Trace.objects.create(job_pk=self.job.pk, what='ran', pid=os.getpid())
        if dies_at_first and self.job.crashes == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        if fails or (fails_at_first and self.job.retry_of_id is None):
            raise JobFailed('as asked')
        self.job.data = {'value': value, 'read': {name: self.results[name] for name in reads}}


class Callback(JobRunner):
    class Meta:
        name = 'Callback of a workflow'
        on_crash = 'retry'
        max_crashes = 10_000

    def run(self, note=''):
        Trace.objects.create(job_pk=self.job.pk, what='ran', pid=os.getpid())
        self.job.data = {'note': note, 'results': len(self.results), 'names': sorted(self.results)[:5]}


class OtherCallback(Callback):
    class Meta(Callback.Meta):
        name = 'Other callback of a workflow'


class Last(Callback):
    class Meta(Callback.Meta):
        name = 'Last callback of a workflow'


class Adding(JobRunner):
    """Adds members to its own workflow."""

    class Meta:
        name = 'Adding to a workflow'

    def run(self):
        self.job.workflow.add_many(Part, [{'value': number} for number in range(3)], name='added')
        self.job.workflow.add('last', Part, value='last', after='adding')


class AfterIsAnArgument(JobRunner):
    class Meta:
        name = 'After is an argument'

    def run(self, after, on_failure_of='nothing'):
        self.job.data = [after, on_failure_of]


class OnePart(JobRunner):
    class Meta:
        name = 'One part at a time'
        unique = Unique()

    def run(self):
        pass

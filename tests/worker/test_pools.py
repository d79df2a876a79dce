"""PostgreSQL with Django's connection pool: no two processes of a worker share a socket, on any alias."""

import pytest
from django.db import connections

from netbox_jobs.jobs import JobRunner
from tests.app.models import Trace
from tests.processes import cut_sessions, status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]
#: What a worker logs that shares a socket with its child.
BAD_SIGNS = ('psycopg', 'PoolTimeout', 'lost synchronization', 'Traceback', 'server closed the connection')


class Owning(JobRunner):
    """Writes a row with its number, and reads it by both aliases."""

    class Meta:
        job_timeout = 30

    def run(self, number):
        rows = []
        for _ in range(5):
            Trace.objects.create(job_pk=self.job.pk, what=str(number), pid=0)
            for alias in ('default', 'other'):
                rows += Trace.objects.using(alias).filter(job_pk=self.job.pk).values_list('what', flat=True)[:1]
        self.logger.info('read')
        pooled = [alias for alias in connections if getattr(connections[alias], 'pool', None)]
        self.job.data = [sorted(set(rows)), pooled]


KINDS = {
    'forking': ('rqworker', ('default',)),
    'persistent': ('rqworker', ('default', '--fast')),
    'several': ('rqworker-pool', ('default', '--num-workers', '2')),
    'rq': ('rqworker', ('default', '--worker-class', 'rq.worker.Worker')),
    'rq simple': ('rqworker', ('default', '--worker-class', 'rq.worker.SimpleWorker')),
}


@pytest.mark.parametrize('kind', KINDS)
def test_each_job_reads_what_it_has_written_before_and_after_a_reconnect(start_worker, kind):
    command, arguments = KINDS[kind]
    worker = start_worker(*arguments, command=command, DJANGO_SETTINGS_MODULE='tests.projects.pools')
    for begin in (0, 25):
        jobs = [Owning.enqueue(number=number) for number in range(begin, begin + 25)]
        wait_for(lambda jobs=jobs: {status(job) for job in jobs} <= {'completed', 'errored', 'failed'}, 60)
        assert [job.data for job in jobs] == [[[str(number)], []] for number in range(begin, begin + 25)]
        assert begin or not [sign for sign in BAD_SIGNS if sign in worker.output], worker.output
        assert 'PoolTimeout' not in worker.output
        cut_sessions()

"""What must hold where the database is in memory."""

import time

import pytest
from django.db.backends.signals import connection_created

from netbox_jobs.execution import log_writer
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job
from tests.app.models import Thing

pytestmark = pytest.mark.django_db(transaction=True)


class Busy(JobRunner):
    """Writes, logs and tells its progress all the time."""

    def run(self):
        for number in self.track(range(300)):
            self.logger.info('Thing %s', number)
            Thing.objects.create(name=str(number))
        time.sleep(0.1)  # long enough for another thread that would write beside it
        self.job.data = {'seen': len(self.job.log_entries)}


def test_a_worker_of_a_test_runs_a_job_that_writes_and_logs(work, monkeypatch):
    """A second connection that writes at the same moment would make either fail with "table is locked"."""
    monkeypatch.setattr(log_writer, 'INTERVAL', 0.001)
    job = Busy.enqueue(interval=10)
    connected = []
    connection_created.connect(lambda **kwargs: connected.append(kwargs), weak=False, dispatch_uid='test')
    try:
        work()
    finally:
        connection_created.disconnect(dispatch_uid='test')
    assert connected == []
    job.refresh_from_db()
    assert (job.status, job.error, job.data) == ('completed', '', {'seen': 300})
    assert (Thing.objects.count(), len(job.log_entries), job.progress.current) == (300, 300, 300)
    assert Job.objects.waiting().count() == 1


def test_here_and_now(work):
    job = Busy.enqueue(immediate=True)
    assert (job.status, len(job.log_entries)) == ('completed', 300)

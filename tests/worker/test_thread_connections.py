"""Threads of jobs leave no database connections behind in a persistent child."""

import gc
import os
import threading

import pytest
from django.db import connection

from netbox_jobs.jobs import JobRunner
from netbox_jobs.worker.connections import ThreadConnections
from tests.app.models import Trace
from tests.processes import status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]


class Threading(JobRunner):
    """Says how many descriptors its process has open, and queries the database in ten threads."""

    def run(self):
        gc.disable()  # it would close some, at some time
        self.job.data = len(os.listdir('/proc/self/fd')), os.getpid()
        in_threads(Trace.objects.count, 10)


def in_threads(act, count):
    threads = [threading.Thread(target=act) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_of_jobs_leave_no_connections_behind(start_worker):
    start_worker('default', '--fast')
    jobs = [Threading.enqueue() for _ in range(6)]
    wait_for(lambda: {status(job) for job in jobs} == {'completed'})
    counts, pids = zip(*(job.data for job in jobs), strict=True)
    assert len(set(pids)) == 1
    counts = counts[1:]  # SQLite keeps as many descriptors as it has had, for later
    assert max(counts) - min(counts) < 10, counts


def test_a_thread_that_lives_keeps_its_connection():
    held, over = threading.Event(), threading.Event()
    found = []

    def live():
        Trace.objects.count()
        found.append(connection.connection)
        held.set()
        over.wait(60)

    noted = ThreadConnections()
    thread = threading.Thread(target=live)
    thread.start()
    assert held.wait(60)
    noted.close_ended()
    found[0].cursor().execute('SELECT 1')
    over.set()
    thread.join()
    noted.close_ended()
    with pytest.raises(Exception):
        found[0].cursor().execute('SELECT 1')


def test_the_own_connection_is_not_closed_with_a_thread_that_opened_it():
    noted = ThreadConnections()
    connection.close()
    own = connection._connections[connection._alias]
    own.inc_thread_sharing()
    in_threads(own.ensure_connection, 1)
    own.dec_thread_sharing()
    noted.close_ended()
    assert own.connection is not None and own.is_usable()

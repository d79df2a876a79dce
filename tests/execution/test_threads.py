"""What the threads of a process share stays whole, also where no lock of the interpreter keeps them apart."""

import logging
import sys
import threading
from types import SimpleNamespace

import pytest

from netbox_jobs.enqueue import unsaved
from netbox_jobs.execution.log_writer import LogWriter
from netbox_jobs.execution.runner_logger import prepare_logger
from netbox_jobs.models import Job
from netbox_jobs.worker.connections import ThreadConnections
from netbox_jobs.worker.supervisor import Supervisor

THREADS = 6


@pytest.fixture(autouse=True)
def frequent_switches():
    """With a global interpreter lock, threads take turns more often than they do otherwise."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def at_once(*functions):
    """Call each of the functions in several threads, all at the same moment; what one raises is raised here."""
    barrier, errors = threading.Barrier(THREADS * len(functions)), []

    def call(function):
        barrier.wait()
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=call, args=[function]) for function in functions for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        raise error


def test_the_logger_of_a_runner_that_threads_make_at_once_stands_below_one_gate():
    for number in range(100):
        runner = type(f'MadeAtOnce{number}', (), {})
        at_once(lambda runner=runner: prepare_logger(runner))
        found, above = logging.getLogger(f'netbox_jobs.{runner.__name__}'), []
        while found.parent is not None and len(above) < 5:
            found = found.parent
            above.append(found.name)
        assert above == [f'netbox_jobs.{runner.__name__}', 'netbox_jobs', 'root']


def test_threads_that_log_at_once_start_one_writer():
    for number in range(1, 50):
        writer = LogWriter(Job(pk=number), own_connection=True)
        at_once(writer._start)
        found = [thread for thread in threading.enumerate() if thread.name == f'log of job {number}']
        writer.close()
        assert len(found) == 1


def test_another_thread_asks_for_the_running_job_while_batches_come_and_go():
    supervisor, delivery = Supervisor(None), object()

    def change():
        for _ in range(2000):
            supervisor._assignment = SimpleNamespace(current=delivery)
            supervisor._assignment = None

    def ask():
        for _ in range(4000):
            assert supervisor.current in (None, delivery)

    at_once(change, ask)


def test_what_requests_left_unsaved_is_settled_once_when_several_end_at_once():
    settled = []
    for number in range(100):
        unsaved._gone.extend(SimpleNamespace(settle=lambda what, n=n: settled.append(n)) for n in range(5))
        at_once(unsaved._settle_after_request)
        assert sorted(settled) == list(range(5)), number
        settled.clear()


def test_connections_that_threads_open_while_others_are_looked_through_are_all_known():
    known, opened = ThreadConnections(), []

    class Connection:
        closed = False

        def inc_thread_sharing(self):
            pass

        def close(self):
            self.closed = True

    def open_some():
        for _ in range(200):
            opened.append(Connection())
            known._note(opened[-1])

    at_once(open_some)
    ended = threading.Event()

    def look():
        while not ended.is_set():
            known.close_ended()

    looking = threading.Thread(target=look)
    looking.start()
    at_once(open_some)
    ended.set()
    looking.join()
    known.close_ended()
    assert len(opened) == 400 * THREADS and all(connection.closed for connection in opened)

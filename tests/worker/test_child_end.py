"""The process of a job ends in order: nothing is lost that the job has registered or buffered."""

import atexit
import logging
import logging.handlers
import os
import signal
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from netbox_jobs.jobs import JobRunner
from tests.app.jobs import Plain
from tests.processes import status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process, pytest.mark.once]
KINDS = [(), ('--fast',)]


class Leaving(JobRunner):
    def run(self, folder):
        note = Path(folder, 'exit').write_text
        atexit.register(note, f'exit handler of {os.getpid()}')
        handler = logging.handlers.MemoryHandler(1000, target=logging.FileHandler(Path(folder, 'log')))
        logging.getLogger('tests.leaving').addHandler(handler)
        logging.getLogger('tests.leaving').warning('held')
        sys.stdout.reconfigure(write_through=False, line_buffering=False)
        print('said by the job')
        self.job.data = os.getpid()


class Hanging(JobRunner):
    def run(self):
        atexit.register(hang)
        self.job.data = os.getpid()


def hang():
    time.sleep(600)


class Tracing(JobRunner):
    def run(self):
        import sentry_sdk
        from opentelemetry import trace

        with trace.get_tracer('tests').start_as_current_span(f'span of {self.job.pk}'):
            pass
        sentry_sdk.capture_message(f'event of {self.job.pk}')
        logging.getLogger('tests.held').warning('line of %d', self.job.pk)


def completed(job):
    wait_for(lambda: status(job) in ('completed', 'errored'))
    assert (job.status, job.error) == ('completed', '')
    return job


@pytest.mark.parametrize('arguments', KINDS)
def test_exit_handlers_log_handlers_and_output_of_a_job_are_not_lost(start_worker, tmp_path, arguments):
    worker = start_worker('default', *arguments)
    pid = completed(Leaving.enqueue(folder=str(tmp_path))).data
    wait_for(lambda: 'said by the job' in worker.output)  # also before a persistent child ends
    if arguments:
        assert worker.stop() == 0
    wait_for(lambda: (tmp_path / 'exit').exists() and (tmp_path / 'log').read_text())
    assert (tmp_path / 'exit').read_text() == f'exit handler of {pid}'
    assert (tmp_path / 'log').read_text() == 'held\n'
    assert worker.output.count('said by the job') == 1


def test_an_end_that_hangs_is_cut_off_and_shown_and_the_next_job_runs(start_worker):
    worker = start_worker('default')
    pid = completed(Hanging.enqueue()).data
    completed(Plain.enqueue())
    assert f'Process {pid} did not end within 5 seconds' in worker.output
    assert 'in hang' in worker.output  # its stack
    assert worker.stop() == 0


def test_a_worker_that_is_ended_at_once_in_a_hanging_end_leaves_the_outcome_as_it_is(start_worker):
    worker = start_worker('default')
    job = completed(Hanging.enqueue())
    worker.end_impatiently()
    assert (status(job), job.error) == ('completed', '')


def test_a_persistent_child_whose_end_hangs_does_not_hold_up_the_end_of_its_worker(start_worker):
    worker = start_worker('default', '--fast')
    completed(Hanging.enqueue())
    worker.signal(signal.SIGTERM)
    assert worker.process.wait(60) == 0
    assert 'did not end within 5 seconds' in worker.output


@pytest.mark.skipif(not (find_spec('opentelemetry') and find_spec('sentry_sdk')), reason='they are not installed')
@pytest.mark.parametrize('arguments', KINDS)
def test_telemetry_that_the_worker_has_set_up_is_sent_and_its_exit_handlers_are_its_own(
    start_worker, tmp_path, arguments
):
    given = {'DJANGO_SETTINGS_MODULE': 'tests.projects.telemetry', 'TEST_FOLDER': str(tmp_path)}
    worker = start_worker('default', *arguments, **given)
    jobs = [completed(Tracing.enqueue()) for _ in range(2)]
    assert worker.stop() == 0
    numbers = [job.pk for job in jobs]
    assert lines(tmp_path / 'spans') == [f'span of {number}' for number in numbers]
    assert ','.join(filter(None, lines(tmp_path / 'sentry'))) == ','.join(f'event of {number}' for number in numbers)
    assert lines(tmp_path / 'held') == [*(f'line of {number}' for number in numbers), 'parent']
    assert lines(tmp_path / 'exits') == [str(worker.pid)]


def lines(path):
    return path.read_text().splitlines()

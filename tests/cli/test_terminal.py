"""`manage.py jobs` as a process of its own, beside a real worker."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connection

from netbox_jobs.broker import delivery
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job, PausedQueue
from tests import nursery
from tests.app.jobs import Narrating, Plain, Sleeping, Spawning
from tests.app.models import Trace
from tests.processes import ROOT, environment, is_alive, status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process, pytest.mark.once]


class Counting(JobRunner):
    class Meta:
        name = 'Counting'

    def run(self, until):
        for number in self.track(range(1000), message='counting on'):
            if number < 3:
                self.logger.info('number %s', number)
            while number == 500 and not os.path.exists(until):
                time.sleep(0.05)


def command(*arguments):
    return [sys.executable, '-m', 'django', 'jobs', *map(str, arguments)]


def call(*arguments):
    """Run the command line, without a terminal."""
    return nursery.run(['jobs', *map(str, arguments)], environment())


@pytest.fixture
def begin():
    """Start the command line and leave it running; it is ended after the test."""
    begun = []

    def _begin(*arguments, output, on_terminal=False):
        output.touch()  # the test may read it first
        env, input_ = environment(TERM='xterm', COLUMNS='80'), output if on_terminal else None
        process = nursery.start(['jobs', *map(str, arguments)], env, output, input_=input_)
        begun.append(process)
        return process

    yield _begin
    for process in begun:
        process.kill()
        process.wait(60)


class Terminal:
    """A terminal, and what processes write to it."""

    def __init__(self):
        self._ours, self._theirs = pty.openpty()
        self.path, self.text = Path(os.ttyname(self._theirs)), ''

    def __str__(self):
        return self.text[-4000:]

    def shows(self, words):
        while select.select([self._ours], [], [], 0)[0]:
            self.text += os.read(self._ours, 65536).decode(errors='replace')
        return words in self.text

    def type(self, text):
        os.write(self._ours, text.encode())

    def close(self):
        os.close(self._ours)
        os.close(self._theirs)


@pytest.fixture
def terminal():
    opened = Terminal()
    yield opened
    opened.close()


@pytest.mark.parametrize(('runner', 'code', 'ends'), [('Plain', 0, 'completed'), ('Failing', 1, 'failed')])
def test_run_wait_returns_by_the_outcome(start_worker, runner, code, ends):
    start_worker()
    done = call('run', f'tests.app.jobs.{runner}', '--wait')
    assert done.returncode == code, done.stderr
    assert re.search(rf'^Job \d+ \({runner}\) {ends} in ', done.stdout, re.MULTILINE)
    assert '\x1b' not in done.stdout + done.stderr


def test_log_follow_prints_the_lines_while_run_holds_a_transaction(start_worker, begin, tmp_path):
    start_worker()
    go = tmp_path / 'go'
    job = Narrating.enqueue(until=str(go))
    wait_for(lambda: status(job) == 'running')
    shown = tmp_path / 'shown'
    process = begin('log', job.pk, '--follow', output=shown)
    if connection.vendor != 'sqlite':  # its one writer is the transaction; the lines come after it
        wait_for(lambda: 'within the transaction' in shown.read_text())
        assert status(job) == 'running'
    go.touch()
    wait_for(lambda: 'RuntimeError: rolled back' in shown.read_text())
    assert process.wait(60) == 0
    assert shown.read_text().count('within the transaction') == 1


def test_stop_ends_a_running_job_with_all_that_it_has_started(start_worker):
    start_worker()
    job = Spawning.enqueue()
    child = wait_for(lambda: job.refresh_from_db() or job.data)['pid']
    done = call('stop', '--yes', job.job_id)
    assert (done.returncode, done.stdout) == (0, f'Job {job.pk} (Spawning): stopping.\n')
    wait_for(lambda: status(job) == 'canceled')
    wait_for(lambda: not is_alive(child))


@pytest.mark.parametrize('redis_is_lost', [False, True])
def test_a_paused_queue_waits_and_goes_on(start_worker, redis_is_lost):
    start_worker('high', 'default', 'low')
    before = Plain.enqueue()
    wait_for(lambda: status(before) == 'completed')
    wait_for(lambda: not Job.objects.filter(status__in=['pending', 'running']).exists())  # nor any system job
    assert call('pause', 'default').returncode == 0
    held = [Plain.enqueue() for _ in range(3)]
    passed = Plain.enqueue(queue_name='low')
    wait_for(lambda: status(passed) == 'completed')
    if redis_is_lost:
        delivery.queue('default').connection.flushdb()
        passed = Plain.enqueue(queue_name='high')
        wait_for(lambda: status(passed) == 'completed')
    rows = {row['name']: row for row in json.loads(call('queues', '--json').stdout)}
    assert (rows['default']['waiting'], rows['default']['workers']) == (3, 1)
    assert rows['default']['paused'] is not None
    assert {status(job) for job in held} <= {'pending', 'scheduled'}
    assert call('resume', 'default').returncode == 0
    wait_for(lambda: [status(job) for job in held] == ['completed'] * 3)
    assert [Trace.objects.filter(job_pk=job.pk, what='start').count() for job in held] == [1, 1, 1]


def test_a_pause_outlives_the_worker(start_worker):
    PausedQueue.pause('default')
    held = Plain.enqueue()
    start_worker().stop()
    start_worker()
    passed = Plain.enqueue(queue_name='high')
    wait_for(lambda: status(passed) == 'completed')
    assert status(held) in ('pending', 'scheduled')
    PausedQueue.resume('default')
    wait_for(lambda: status(held) == 'completed')


def test_ctrl_c_ends_the_watching_and_not_the_job(start_worker, begin, tmp_path):
    start_worker()
    go = tmp_path / 'go'
    shown = tmp_path / 'shown'
    process = begin('run', 'Sleeping', '--arg', f'until={go}', '--wait', output=shown)
    wait_for(lambda: Sleeping.get_jobs().running().exists())
    wait_for(lambda: 'is running' in shown.read_text())
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    job = Sleeping.get_jobs().get()
    assert f'Follow it with "jobs log {job.pk} --follow"' in shown.read_text()
    assert 'Traceback' not in shown.read_text()
    assert status(job) == 'running'
    go.touch()
    wait_for(lambda: status(job) == 'completed')


def test_a_terminal_shows_a_bar_and_the_log_above_it(start_worker, begin, terminal, tmp_path):
    start_worker()
    go = tmp_path / 'go'
    arguments = 'run', 'tests.cli.test_terminal.Counting', '--arg', f'until={go}', '--wait'
    process = begin(*arguments, output=terminal.path, on_terminal=True)
    wait_for(lambda: terminal.shows('number 2'))
    if connection.vendor != 'sqlite':
        wait_for(lambda: terminal.shows('500 of 1,000'))
        assert 'Counting running' in terminal.text
        assert 'counting on' in terminal.text
    go.touch()
    wait_for(lambda: terminal.shows('(Counting) completed in'))
    assert process.wait(60) == 0
    assert '\x1b[' in terminal.text


@pytest.mark.parametrize(
    ('answer', 'code', 'says', 'left'),
    [('n', 1, 'Nothing was done.', 'pending'), ('y', 0, '(Sleeping): canceled.', 'canceled')],
)
def test_a_question_is_answered_on_a_terminal(begin, terminal, answer, code, says, left):
    job = Sleeping.enqueue()
    process = begin('cancel', job.pk, output=terminal.path, on_terminal=True)
    wait_for(lambda: terminal.shows(f'Cancel job {job.pk} "Sleeping"? [y/N]'))
    terminal.type(f'{answer}\n')
    wait_for(lambda: terminal.shows(says))
    assert process.wait(60) == code
    assert status(job) == left


def test_an_error_is_one_line_and_no_traceback():
    for arguments in (('show', '99'), ('run', 'nope'), ('pause', 'nope'), ('cancel', str(Plain.enqueue().pk))):
        done = call(*arguments)
        assert (done.returncode, done.stdout) == (2, '')
        assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_has_seen_enough_is_no_error():
    for _ in range(3):
        Plain.enqueue(name='x' * 200)
    script = f'{" ".join(command("list", "--json", "--limit", "1000"))} | head -c 10; exit ${{PIPESTATUS[0]}}'
    Job.objects.bulk_create(Job(name='x' * 200, runner='x') for _ in range(800))
    done = subprocess.run(
        ['bash', '-c', script], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=150, check=False
    )
    assert (done.returncode, done.stderr) == (0, '')

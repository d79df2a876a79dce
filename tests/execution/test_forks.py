"""A process that a job starts finds the defaults, in every kind of worker."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from netbox_jobs.jobs import JobRunner
from tests.processes import status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process, pytest.mark.once]
fork = multiprocessing.get_context('fork')


def report(pipe):
    """What a forked process finds."""
    found = {}
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        ignored = (signal.SIGPIPE, signal.SIGXFSZ)  # by Python itself
        if handler not in (signal.SIG_DFL, None, signal.default_int_handler) and number not in ignored:
            found[signal.Signals(number).name] = repr(handler)
    pipe.send((found, [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())]))


class Starting(JobRunner):
    class Meta:
        job_timeout = 170

    def run(self):
        sleeping = fork.Process(target=time.sleep, args=(60,))
        sleeping.start()
        sleeping.terminate()
        sleeping.join(60)
        ours, theirs = fork.Pipe()
        reporting = fork.Process(target=report, args=(theirs,))
        reporting.start()
        found = ours.recv()
        reporting.join(60)
        for _ in range(3):
            with fork.Pool(2) as pool:
                assert pool.map(abs, range(10)) == list(range(10))
        try:
            subprocess.run(['sleep', '60'], timeout=0.5)
        except subprocess.TimeoutExpired:
            found += ('expired',)
        interrupted = subprocess.Popen(['sleep', '60'])
        interrupted.send_signal(signal.SIGINT)
        found += (interrupted.wait(60),)
        self.job.data = [sleeping.exitcode, *found]


class Serving(JobRunner):
    """Has its processes forked by a server, which is what Python does from 3.14 on if nothing else is said."""

    def run(self):
        served = multiprocessing.get_context('forkserver')
        sleeping = served.Process(target=time.sleep, args=(60,))
        sleeping.start()
        sleeping.terminate()
        sleeping.join(60)
        with served.Pool(2) as pool:
            found = pool.map(abs, [-1, 2])
            pid = pool.apply(os.getppid)
        self.job.data = [sleeping.exitcode, found, pid]


class Crowded(JobRunner):
    """Forks in many threads at once, and has a program in each that ends upon a signal."""

    def run(self):
        sys.setswitchinterval(1e-6)
        with ThreadPoolExecutor(8) as threads:
            self.job.data = sorted(set(threads.map(fork_often, range(8))))
        sys.setswitchinterval(0.005)


def fork_often(_number):
    for _ in range(20):
        if (pid := os.fork()) == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    program = subprocess.Popen(['sleep', '60'])
    program.terminate()
    try:
        return program.wait(60)
    except subprocess.TimeoutExpired:
        program.kill()
        return program.wait()


def say_and_sleep(pipe):
    pipe.send('running')
    time.sleep(60)


class Handling(JobRunner):
    """Has a handler of its own, which its forks inherit as always."""

    def run(self):
        signal.signal(signal.SIGUSR1, heard)
        ours, theirs = fork.Pipe()
        process = fork.Process(target=say_and_sleep, args=(theirs,))
        process.start()
        ours.recv()
        os.kill(process.pid, signal.SIGUSR1)
        process.join(60)
        self.job.data = process.exitcode


class Careless(JobRunner):
    """Changes what signals do, and says what it finds."""

    def run(self):
        self.job.data = [
            signal.getsignal(signal.SIGHUP) is signal.SIG_DFL,
            subprocess.run(['false']).returncode,
            [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())],
            signal.getitimer(signal.ITIMER_PROF)[0],
            signal.set_wakeup_fd(-1),
            os.getpid(),
        ]
        signal.signal(signal.SIGHUP, heard)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
        signal.setitimer(signal.ITIMER_PROF, 3600)
        _, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write)


def report_to(pipe):
    """In a thread: fork a process that reports."""
    process = fork.Process(target=report, args=(pipe,))
    process.start()
    process.join(60)


class Threaded(JobRunner):
    """Forks in a thread."""

    def run(self):
        ours, theirs = fork.Pipe()
        thread = threading.Thread(target=report_to, args=(theirs,))
        thread.start()
        self.job.data = ours.recv()
        thread.join()


def heard(*args):
    os._exit(33)


@pytest.mark.parametrize('arguments', [(), ('--fast',)])
def test_a_process_that_a_job_forks_is_terminated_and_has_the_default_signals(start_worker, arguments):
    start_worker('default', *arguments)
    for _ in range(2):
        job, own = Starting.enqueue(), Handling.enqueue()
        wait_for(lambda job=job: status(job) in ('completed', 'errored'), 120)
        assert (job.data, job.error) == ([-15, {}, [], 'expired', -2], '')
        wait_for(lambda own=own: status(own) in ('completed', 'errored'))
        assert own.data == 33


@pytest.mark.parametrize('arguments', [(), ('--fast',)])
def test_a_job_may_use_processes_that_a_server_forks(start_worker, arguments):
    worker = start_worker('default', *arguments)
    servers = set()
    for _ in range(2):
        job = Serving.enqueue()
        wait_for(lambda job=job: status(job) in ('completed', 'errored'), 120)
        assert (job.error, job.data[:2]) == ('', [-15, [1, 2]])
        servers.add(job.data[2])
    worker.stop()
    wait_for(lambda: not any(Path(f'/proc/{pid}').exists() for pid in servers))


def test_threads_of_a_job_that_fork_at_once_keep_their_signals(start_worker):
    start_worker('default')
    job = Crowded.enqueue()
    wait_for(lambda: status(job) in ('completed', 'errored'))
    assert (job.data, job.error) == ([-15], '')


def test_a_job_finds_the_signals_as_they_are_before_the_first_one(start_worker):
    start_worker('default', '--fast')
    jobs = [Careless.enqueue() for _ in range(3)]
    wait_for(lambda: {status(job) for job in jobs} <= {'completed', 'errored'})
    assert [job.data[:-1] for job in jobs] == [[True, 1, [], 0.0, -1]] * 3
    assert len({job.data[-1] for job in jobs}) == 1


@pytest.mark.parametrize('arguments', [(), ('--fast',)])
def test_a_process_that_a_thread_of_a_job_forks_has_the_default_signals(start_worker, arguments):
    start_worker('default', *arguments)
    jobs = [Threaded.enqueue() for _ in range(2)]
    wait_for(lambda: {status(job) for job in jobs} <= {'completed', 'errored'})
    assert [job.data for job in jobs] == [[{}, []]] * 2


def test_a_plain_rq_worker_does_the_same(work):
    job = Starting.enqueue()
    work()
    assert (status(job), job.data) == ('completed', [-15, {}, [], 'expired', -2])

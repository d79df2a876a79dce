"""Real worker processes, started and ended by the tests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings

ROOT = Path(__file__).parent.parent


def wait_for(condition: Callable[[], Any], seconds: float = 30, what: str = '') -> Any:
    """Wait until `condition()` is true, and return its value; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f'waited {seconds} s in vain for {what or condition}')


class WorkerProcess:
    """`rqworker`, in a session of its own, with its output in a file."""

    def __init__(self, log: Path, *arguments: str, command: str = 'rqworker', **environment: str) -> None:
        self.log = log
        redis = settings.RQ_QUEUES['default']['URL']
        self._output = log.open('ab')
        self.process = subprocess.Popen(
            [sys.executable, '-m', 'django', command, *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                'DJANGO_SETTINGS_MODULE': 'tests.settings',
                'TEST_IN_WORKER': '1',
                'TEST_REDIS_URL': redis,
                'PYTHONPATH': str(ROOT),
                'PYTHONUNBUFFERED': '1',
                **environment,
            },
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def output(self) -> str:
        return self.log.read_text(errors='replace')

    def horses(self) -> list[int]:
        """The children of the worker that run jobs (RQ's scheduler is one too, and is left out)."""
        found = []
        for entry in Path('/proc').iterdir():
            if entry.name.isdigit():
                try:
                    stat = (entry / 'stat').read_text().rsplit(')', 1)[1].split()
                except OSError:
                    continue
                # A horse leads a process group of its own; the scheduler stays in its parent's.
                if int(stat[1]) == self.pid and int(stat[2]) == int(entry.name):
                    found.append(int(entry.name))
        return found

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def stop(self, seconds: float = 15) -> int:
        """End the worker in order, or by force if it does not, with all that it has started."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        self._end_session()
        self._output.close()
        return self.process.returncode

    def kill(self) -> None:
        """End the worker and its horses at once, as when its host goes."""
        for pid in (self.pid, *self.horses()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(10)

    def _end_session(self) -> None:
        for entry in Path('/proc').iterdir():
            if entry.name.isdigit():
                try:
                    stat = (entry / 'stat').read_text().rsplit(')', 1)[1].split()
                    if int(stat[3]) == self.pid:  # its session
                        os.kill(int(entry.name), signal.SIGKILL)
                except (OSError, IndexError):
                    continue


def is_alive(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


def status(job: Any) -> str:
    """The job's status, read anew."""
    job.refresh_from_db()
    return str(job.status)

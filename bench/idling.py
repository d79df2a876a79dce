"""An idle worker: how soon a job is started, how long the worker takes to start, and how much memory it holds."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from django.conf import settings
from redis import Redis
from rq import Queue

from . import floors
from .app.jobs import Telling
from .series import Row

RAW = [sys.executable, '-m', 'bench.bare']
OURS = [sys.executable, '-m', 'django', 'rqworker']
FAST = [*OURS, '--fast']


def rows() -> list[Row]:
    """The lines of the table."""
    bare = 'a bare django.setup() and an rq worker'
    return [
        Row('idle worker, created to started', 'ms', 'raw rq', 1, difference=True),
        Row('idle fast worker, created to started', 'ms', 'raw rq', -3.9, difference=True),
        Row('worker start to first job', 's', bare, 1.5),
        Row('fast worker start to first job', 's', bare, 1.5),
        Row('memory of an idle worker (PSS)', 'MiB', bare, 1.2),
        Row('memory of an idle fast worker (PSS)', 'MiB', bare, 1.2),
    ]


class Idle:
    """A worker that has started and waits, with how long its first job took."""

    def __init__(self, command: list[str], url: str, enqueue: Any) -> None:
        self.redis, self.enqueue = Redis.from_url(url, socket_timeout=70), enqueue
        self.redis.delete('bench:started')
        bare = {'BENCH_BARE': '1'} if command is RAW else {}
        begin = time.time()
        enqueue()
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **bare},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self.start = self._started() - begin
        except BaseException:
            self.end()
            raise
        time.sleep(0.5)
        self.memory = memory_of(self.process.pid)

    def latencies(self, number: int) -> list[float]:
        """Milliseconds from before `enqueue()` to the first line of the job."""
        found = []
        for _ in range(number):
            time.sleep(0.03)  # idle again
            begin = time.time()
            self.enqueue()
            found.append((self._started() - begin) * 1000)
        return found

    def _started(self) -> float:
        answer = self.redis.blpop(['bench:started'], 60)
        if answer is None:
            raise RuntimeError('The worker has not run its job within a minute.')
        return float(answer[1])

    def end(self) -> None:
        """End it in order; again does nothing."""
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def measure(
    latency: Row,
    fast_latency: Row,
    start: Row,
    fast_start: Row,
    memory: Row,
    fast_memory: Row,
    *,
    rounds: int,
    times: int,
) -> Iterator[str]:
    """Measure round after round, each with new workers; yields a word after each."""
    queue = Queue('default', connection=Redis.from_url(settings.FLOOR_REDIS))
    for number in range(rounds):
        with ExitStack() as stack:
            raw = Idle(RAW, settings.FLOOR_REDIS, lambda: queue.enqueue(floors.tell))
            stack.callback(raw.end)
            for command, kinds in ((OURS, (latency, start, memory)), (FAST, (fast_latency, fast_start, fast_memory))):
                ours = Idle(command, settings.OUR_REDIS, Telling.enqueue)
                stack.callback(ours.end)
                before = raw.latencies(times // 2)
                found = median(ours.latencies(times))
                floor = median(before + raw.latencies(times // 2))
                ours.end()
                values = zip(kinds, (found, ours.start, ours.memory), (floor, raw.start, raw.memory), strict=True)
                for row, value, of_floor in values:
                    row.ours.values.append(value)
                    row.floor.values.append(of_floor)
        yield f'idle workers {number + 1}'


def memory_of(pid: int) -> float:
    """MiB of a process and all below it, what they share counted once."""
    found = 0.0
    for entry in Path('/proc').iterdir():
        if not entry.name.isdigit():
            continue
        try:
            session = int((entry / 'stat').read_text().rsplit(')', 1)[1].split()[3])
            if session == pid:
                rollup = (entry / 'smaps_rollup').read_text()
                found += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith('Pss:')) / 1024
        except (OSError, IndexError, StopIteration):
            continue
    return found

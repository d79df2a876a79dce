"""One sample of one tool, in a process of its own: `BENCH_PEER=celery python -m bench.peers.measure noop 600 3`."""

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django

TICKS = os.sysconf('SC_CLK_TCK')
#: So many jobs are done before the clock starts: whatever a worker does first is not what a job costs.
WARM = 10
#: Seconds for a worker to do its first jobs.
PATIENCE = 30
POLL = 0.05


def main() -> None:
    """Enqueue, then start workers, and look at them while they work."""
    kind, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    workers = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    django.setup()
    tool = importlib.import_module(f'bench.peers.tools.{os.environ["BENCH_PEER"]}')
    _clear()
    try:
        found = {'enqueue_ms': _enqueue(tool, kind, count)}
        with _workers(tool, workers) as sessions:
            found |= _watch(tool, count + WARM, seconds, sessions)
    finally:
        _clear()
    print(json.dumps(found))


def _clear() -> None:
    from django.conf import settings
    from django.db import connection
    from redis import Redis

    kept = ('django_migrations', 'django_content_type')
    with connection.cursor() as cursor:
        tables = [name for name in connection.introspection.table_names(cursor) if name not in kept]
        quoted = ', '.join(map(connection.ops.quote_name, tables))
        cursor.execute(f'TRUNCATE {quoted} CASCADE')
    with Redis.from_url(settings.REDIS_URL) as redis:
        redis.flushdb()


def _enqueue(tool: Any, kind: str, count: int) -> float:
    """Milliseconds for one, in a process that has enqueued before."""
    for _ in range(WARM):
        tool.enqueue(kind)
    began = time.perf_counter()
    for _ in range(count):
        tool.enqueue(kind)
    return (time.perf_counter() - began) / count * 1000


@contextmanager
def _workers(tool: Any, count: int) -> Iterator[list[int]]:
    """Worker processes, each in a session of its own, by which all its children are found; ended afterwards."""
    with tempfile.TemporaryFile() as output:
        processes = [
            subprocess.Popen(tool.worker(), stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
            for _ in range(count)
        ]
        try:
            yield [process.pid for process in processes]
        except TimeoutError as error:
            output.seek(max(0, output.seek(0, os.SEEK_END) - 2000))
            raise SystemExit(f'{error}; the worker said: {output.read().decode(errors="replace")}') from error
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                for pid in _processes([process.pid]):
                    _kill(pid)
                process.wait()


def _watch(tool: Any, all_: int, seconds: float, sessions: list[int]) -> dict[str, float]:
    _wait_for_first(tool)
    began, cpu, first = time.perf_counter(), _cpu(sessions), tool.done()
    memory, rss, processes, look = 0.0, 0.0, 0, 0.0
    while True:
        time.sleep(POLL)
        now, done = time.perf_counter(), tool.done()
        if done >= all_ or now - began >= seconds:
            break
        if now >= look:
            look = now + 0.4
            sample = _memory(sessions)
            memory, rss, processes = (max(pair) for pair in zip((memory, rss, processes), sample, strict=True))
    spent = _cpu(sessions) - cpu
    if not memory:
        memory, rss, processes = _memory(sessions)
    if done <= first:
        raise TimeoutError(f'{done} jobs were done, and then no more')
    return {
        'jobs_per_second': (done - first) / (now - began),
        'cpu_ms': spent * 1000 / (done - first),
        'pss_mb': memory,
        'rss_mb': rss,
        'processes': processes,
        'jobs': done - first,
    }


def _wait_for_first(tool: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while tool.done() < WARM:
        if time.monotonic() > deadline:
            raise TimeoutError(f'fewer than {WARM} jobs were done in {PATIENCE} s')
        time.sleep(POLL)


# Processes, as Linux tells of them


def _processes(sessions: list[int]) -> Iterator[int]:
    for entry in Path('/proc').iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))) and int(fields[3]) in sessions:
            yield int(entry.name)


def _stat(pid: int) -> list[str]:
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
    except (OSError, IndexError):
        return []


def _cpu(sessions: list[int]) -> float:
    """Seconds that these sessions' processes have used, with those of their children that have ended."""
    ticks = 0
    for pid in _processes(sessions):
        if fields := _stat(pid):
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICKS


def _memory(sessions: list[int]) -> tuple[float, float, int]:
    """Megabytes, shared pages by their share; megabytes, shared pages in full; how many processes."""
    shared, resident, count = 0, 0, 0
    for pid in _processes(sessions):
        try:
            lines = Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines()[1:]
        except OSError:
            continue
        sizes = {line.split(':')[0]: int(line.split()[1]) for line in lines}
        shared, resident, count = shared + sizes.get('Pss', 0), resident + sizes.get('Rss', 0), count + 1
    return shared / 1024, resident / 1024, count


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


if __name__ == '__main__':
    main()

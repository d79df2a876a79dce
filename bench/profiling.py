"""`python -m bench.profiling`: where a worker's processes are during no-op jobs, sampled every half millisecond.

A sample counts for whose code the main thread is in, or waits in: the innermost frame that is not of the standard
library. Sampling slows the worker down; only the shares mean something.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import django

JOBS = 300
_EVERY = 0.0005
_OWNERS = {
    '/redis/': 'RQ and Redis',
    '/rq/': 'RQ and Redis',
    '/django/': 'the database and Django',
    '/psycopg': 'the database and Django',
    '/netbox_jobs/': 'ours',
    '/bench/': 'ours',
}
COLUMNS = ('RQ and Redis', 'the database and Django', 'ours', 'waits for the other process')


def owner(frame: FrameType | None) -> str:
    """Whose code a thread is in."""
    piped = False
    while frame is not None:
        path = frame.f_code.co_filename
        # What waits for a pipe or a process does so in a built-in function, called by one of these two.
        piped = piped or path.endswith('multiprocessing/connection.py') or frame.f_code.co_name == 'look'
        for part, name in _OWNERS.items():
            if part in path:
                return COLUMNS[3] if piped and name == 'ours' else name
        frame = frame.f_back
    return 'ours'


class Sampler(threading.Thread):
    """Looks at the main thread, as long as it is at a job."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.counts: Counter[str] = Counter()
        self.on = False

    def run(self) -> None:
        """Until the process ends."""
        main = threading.main_thread().ident
        sys.setswitchinterval(0.0001)
        while True:
            time.sleep(_EVERY)
            if self.on:
                self.counts[owner(sys._current_frames().get(main or 0))] += 1


def _sampled(worker_class: Any, folder: Path) -> Any:
    from netbox_jobs.worker.child import ChildProcess

    run = ChildProcess._run

    class Sampled(worker_class):
        def live(self, *args: Any) -> None:
            sampler = Sampler()
            sampler.start()

            def sampled(process: ChildProcess, message: Any) -> bool:
                sampler.on = True
                more = run(process, message)
                sampler.on = False
                (folder / f'child-{os.getpid()}.json').write_text(json.dumps(sampler.counts))
                return more

            ChildProcess._run = sampled  # type: ignore[method-assign]
            super().live(*args)

        def work(self, *args: Any, **kwargs: Any) -> bool:
            self.parents = Sampler()
            self.parents.start()
            done: bool = super().work(*args, **kwargs)
            (folder / 'parent.json').write_text(json.dumps(self.parents.counts))
            return done

        def dequeue_job_and_maintain_ttl(self, *args: Any) -> Any:
            self.parents.on = True
            return super().dequeue_job_and_maintain_ttl(*args)

    return Sampled


def _work(kind: str, folder: Path) -> None:
    from django.conf import settings
    from django.db import connections
    from redis import Redis
    from rq import Queue

    from netbox_jobs.worker import FastWorker, Worker

    client = Redis.from_url(settings.OUR_REDIS)
    worker = _sampled(FastWorker if kind == 'fast' else Worker, folder)([Queue('default', connection=client)])
    connections.close_all()
    worker.work(burst=True, logging_level='INFO')


def _shares(files: list[Path]) -> list[str]:
    counts: Counter[str] = Counter()
    for file in files:
        counts.update(json.loads(file.read_text()))
    return [f'{100 * counts[name] / counts.total():.0f} %' for name in COLUMNS]


def main() -> int:
    """Profile both workers on a database of their own, and print the table."""
    from django.conf import settings
    from django.db import connection

    from . import broker
    from .app.jobs import Nothing

    if not broker.claim(settings.OUR_REDIS):
        return 2
    os.environ['BENCH_REDIS_URL'] = settings.OUR_REDIS
    before = connection.settings_dict['NAME']
    made = connection.creation.create_test_db(verbosity=0, autoclobber=True)
    base = os.environ.get('BENCH_DATABASE_URL', 'postgres://postgres@127.0.0.1:5432/netbox_jobs_bench')
    os.environ['BENCH_DATABASE_URL'] = f'{base.rsplit("/", 1)[0]}/{made}'
    print(f'| | {" | ".join(COLUMNS)} |\n|---|{"---|" * len(COLUMNS)}')
    try:
        for kind in ('fast', 'forking'):
            Nothing.enqueue_many([{}] * JOBS)
            with tempfile.TemporaryDirectory() as folder:
                subprocess.run(
                    [sys.executable, '-m', 'bench.profiling', kind, folder],
                    check=True,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    timeout=120,
                )
                for who, pattern in (('child', 'child-*'), ('parent', 'parent')):
                    shares = _shares(list(Path(folder).glob(f'{pattern}.json')))
                    print(f'| the {who} of a {kind} worker | {" | ".join(shares)} |')
    finally:
        connection.creation.destroy_test_db(before, verbosity=0)
        broker.release(settings.OUR_REDIS)
    return 0


if __name__ == '__main__':
    os.environ['DJANGO_SETTINGS_MODULE'] = 'bench.settings'
    django.setup()
    if len(sys.argv) > 1:
        _work(sys.argv[1], Path(sys.argv[2]))
    else:
        sys.exit(main())

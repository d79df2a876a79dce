"""`python -m bench.worker KIND`: empty the queue with one kind of worker, and print what that cost as JSON.

The rate is that of the jobs between the first few and the last, so that start-up does not count.
"""

import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import django

WARM = 5


def _timed(worker_class: Any) -> Any:
    class Timed(worker_class):
        begun: list[float] = []
        cpu: list[float] = []

        def dequeue_job_and_maintain_ttl(self, *args: Any) -> Any:
            if not self.cpu:
                self.cpu.append(_cpu_seconds())
            return super().dequeue_job_and_maintain_ttl(*args)

        def execute_job(self, *args: Any) -> Any:
            self.begun.append(time.time())
            return super().execute_job(*args)

        def teardown(self) -> None:
            if not self.is_horse:
                self.cpu.append(_cpu_seconds())
            super().teardown()

    Timed.__name__ = worker_class.__name__
    return Timed


def _ended() -> list[float]:
    """When our jobs ended, in order."""
    from netbox_jobs.models import Job

    return sorted(job.completed.timestamp() for job in Job.objects.filter(status='completed').only('completed'))


def _cpu_seconds() -> float:
    """What this process and its children have used so far, the living and the dead."""
    ticks, me = 0, os.getpid()
    for entry in Path('/proc').iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / 'stat').read_text().rsplit(')', 1)[1].split()
            except OSError:
                continue
            if me in (int(stat[1]), int(entry.name)):
                ticks += sum(int(number) for number in stat[11:15])
    return ticks / os.sysconf('SC_CLK_TCK')


def main(kind: str) -> None:
    """Work until nothing is left."""
    from django.conf import settings
    from django.db import connections
    from redis import Redis
    from rq import Queue, SimpleWorker, Worker

    if kind.startswith('raw'):
        worker_class: Any = SimpleWorker if kind == 'raw simple' else Worker
        client = Redis.from_url(settings.FLOOR_REDIS)
    else:
        from netbox_jobs.worker import FastWorker
        from netbox_jobs.worker import Worker as OurWorker

        worker_class = FastWorker if kind == 'fast' else OurWorker
        client = Redis.from_url(settings.OUR_REDIS)
    logging.getLogger('rq.worker').setLevel(logging.INFO)
    timed = _timed(worker_class)
    worker = timed([Queue(name, connection=client) for name in ('high', 'default', 'low')], connection=client)
    connections.close_all()
    worker.work(burst=True, logging_level='INFO')
    moments = timed.begun if kind.startswith('raw') else _ended()
    counted = moments[WARM:]
    print(
        json.dumps(
            {
                'jobs': len(moments),
                'rate': (len(counted) - 1) / (counted[-1] - counted[0]),
                'cpu_ms': (timed.cpu[1] - timed.cpu[0]) * 1000 / len(moments),
            }
        )
    )


if __name__ == '__main__':
    django.setup()
    main(sys.argv[1])

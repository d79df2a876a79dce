"""What the floors run: functions that know nothing of netbox_jobs."""

import os
import time

from django.db import connection
from redis import Redis


def nothing(*args: object) -> None:
    """An empty job."""


def tell() -> None:
    """Tells when it was started."""
    with Redis.from_url(os.environ['BENCH_FLOOR_REDIS_URL']) as redis:
        redis.rpush('bench:started', time.time())


def three_statements(job_id: str) -> None:
    """The least that a job with a row does: a claim, a read, and its end."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE netbox_jobs_job SET status = 'running', started = now(), worker = 'floor', attempt = attempt + 1 "
            "WHERE job_id = %s AND status = 'pending'",
            [job_id],
        )
        cursor.execute('SELECT * FROM netbox_jobs_job WHERE job_id = %s', [job_id])
        cursor.fetchone()
        cursor.execute(
            "UPDATE netbox_jobs_job SET status = 'completed', completed = now(), worker = NULL "
            "WHERE job_id = %s AND status = 'running' AND worker = 'floor'",
            [job_id],
        )

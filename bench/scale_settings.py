"""Settings of `bench.scale`: two databases on one server, of which a router names the one in use."""

import os

from tests.settings import *  # noqa: F403

URL = os.environ.get('BENCH_DATABASE_URL', 'postgres://postgres@127.0.0.1:5432/netbox_jobs_bench')
DATABASES = {'default': database(f'{URL}_empty'), 'full': database(f'{URL}_full')}  # noqa: F405
DATABASE_ROUTERS = ['bench.scale_settings.Switch']
RQ_QUEUES = {'default': {'URL': os.environ.get('BENCH_REDIS_URL', 'redis://127.0.0.1:6379/9'), 'DEFAULT_TIMEOUT': 60}}
NETBOX_JOBS = {}
ALLOWED_HOSTS = ['testserver']


class Switch:
    """Everything is read from, and written to, the database that was named last."""

    alias = 'default'

    def db_for_read(self, model: object, **hints: object) -> str:
        """The database in use."""
        return type(self).alias

    db_for_write = db_for_read

    def allow_relation(self, *objects: object, **hints: object) -> bool:
        """Objects are never mixed; no check is needed."""
        return True

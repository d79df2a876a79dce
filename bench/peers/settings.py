"""Settings for one task queue at a time, the one in `BENCH_PEER`; everything else is the same for all."""

import os
from importlib.util import find_spec
from typing import Any

from project.databases import database

PEER = os.environ['BENCH_PEER']
DATABASE_URL = os.environ.get('BENCH_DATABASE_URL', 'postgres://postgres@127.0.0.1:5432/netbox_jobs_bench')
REDIS_URL = os.environ.get('BENCH_REDIS_URL', 'redis://127.0.0.1:6379/9')

SECRET_KEY = 'benchmark only'
DATABASES = {'default': {**database(DATABASE_URL), 'CONN_MAX_AGE': 60}}
DEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'
USE_TZ = True
RQ_QUEUES = {'default': {'URL': REDIS_URL}}
NETBOX_JOBS: dict[str, Any] = {}

# Django 6 has them itself.
_TASKS = [] if find_spec('django.tasks') else ['django_tasks']
_APPS = {
    'ours': ['netbox_jobs', 'django_rq'],
    'ours_fast': ['netbox_jobs', 'django_rq'],
    'raw_rq': ['django_rq'],
    'celery': ['django_celery_results'],
    'procrastinate': ['procrastinate.contrib.django'],
    'tasks_db': [*_TASKS, 'django_tasks_db'],
    'tasks_rq': ['django_tasks', 'django_tasks_rq', 'django_rq'],
    'django_q': ['django_q'],
    'huey': ['huey.contrib.djhuey'],
    'dramatiq': ['django_dramatiq'],
}
INSTALLED_APPS = ['django.contrib.auth', 'django.contrib.contenttypes', *_APPS[PEER], 'bench.peers']

CELERY_BROKER_URL = REDIS_URL
CELERY_RESULT_BACKEND = 'django-db'

_BACKENDS = {'tasks_db': 'django_tasks_db.DatabaseBackend', 'tasks_rq': 'django_tasks_rq.RQBackend'}
if PEER in _BACKENDS:
    TASKS = {'default': {'BACKEND': _BACKENDS[PEER], 'QUEUES': ['default']}}

# All results are kept, as those of the others are; django-q2 would keep the last 250. The two times are those that its
# documentation asks for.
Q_CLUSTER = {'name': 'bench', 'workers': 1, 'redis': REDIS_URL, 'save_limit': 0, 'timeout': 60, 'retry': 120}

_dsn = DATABASES['default']
HUEY = {
    'huey_class': 'huey.PostgresHuey',
    'name': 'bench',
    'immediate': False,
    'connection': {
        'dsn': f'postgresql://{_dsn["USER"]}:{_dsn["PASSWORD"]}@{_dsn["HOST"]}:{_dsn["PORT"] or 5432}/{_dsn["NAME"]}'
    },
}

DRAMATIQ_BROKER = {
    'BROKER': 'dramatiq.brokers.redis.RedisBroker',
    'OPTIONS': {'url': REDIS_URL},
    'MIDDLEWARE': [
        'dramatiq.middleware.AgeLimit',
        'dramatiq.middleware.TimeLimit',
        'dramatiq.middleware.Callbacks',
        'dramatiq.middleware.Retries',
        'django_dramatiq.middleware.DbConnectionsMiddleware',
        'django_dramatiq.middleware.AdminMiddleware',
    ],
}

"""Settings of the benchmark; `BENCH_BARE` leaves netbox_jobs out, for what it is compared with."""

import os

from project.databases import database

SECRET_KEY = 'bench only'
DATABASES = {
    'default': database(os.environ.get('BENCH_DATABASE_URL', 'postgres://postgres@127.0.0.1:5432/netbox_jobs_bench'))
}
DEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'
USE_TZ = True
INSTALLED_APPS = ['django.contrib.auth', 'django.contrib.contenttypes', 'django_rq']
if not os.environ.get('BENCH_BARE'):
    INSTALLED_APPS = ['netbox_jobs', *INSTALLED_APPS, 'bench.app']
#: Ours, and that of what we are compared with, so that no worker takes the other's jobs. Both are emptied.
OUR_REDIS = os.environ.get('BENCH_REDIS_URL', 'redis://127.0.0.1:6379/9')
FLOOR_REDIS = os.environ.get('BENCH_FLOOR_REDIS_URL', 'redis://127.0.0.1:6379/10')
RQ_QUEUES = {'default': {'URL': OUR_REDIS, 'DEFAULT_TIMEOUT': 600}}
# The floor's plain model stands for the table of jobs.
SILENCED_SYSTEM_CHECKS = ['models.E028']

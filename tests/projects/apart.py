"""Jobs in a database of their own, requests in transactions, and a plugin's queue on another Redis database."""

import copy
import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, RQ_QUEUES

DATABASES['default']['TEST']['NAME'] += '_apart'
DATABASES['default']['ATOMIC_REQUESTS'] = True
DATABASES['jobs'] = copy.deepcopy(DATABASES['default'])
DATABASES['jobs']['TEST']['NAME'] += '_jobs'
DATABASES['jobs']['NAME'] += '_jobs'
DATABASE_ROUTERS = ['tests.projects.apart.Router']
ROOT_URLCONF = 'tests.projects.apart_urls'
RQ_QUEUES['tests.app.bulk'] = {'URL': os.environ['TEST_SECOND_REDIS_URL']}


class Router:
    """Jobs live in `jobs`, all else in `default`."""

    def db_for_read(self, model, **hints):
        return 'jobs' if model._meta.app_label == 'netbox_jobs' else None

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, **hints):
        return None if db == 'default' else app_label not in ('admin', 'auth', 'sessions')

    def allow_relation(self, one, other, **hints):
        return True

"""Django's connection pool of psycopg on two aliases of one database, used before a worker begins."""

import copy
import warnings

from django.apps import AppConfig
from django.db import connections

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS

DATABASES['default']['OPTIONS']['pool'] = True
DATABASES['other'] = copy.deepcopy(DATABASES['default'])
DATABASES['other']['OPTIONS']['pool'] = {'min_size': 2, 'max_size': 4}
INSTALLED_APPS = [*INSTALLED_APPS, 'tests.projects.pools.Early']


class Early(AppConfig):
    name = 'tests.projects'
    label = 'early'

    def ready(self):
        with warnings.catch_warnings(action='ignore'):  # Django advises against it
            for alias in connections:
                with connections[alias].cursor() as cursor:
                    cursor.execute('SELECT 1')

"""Reads go to a replica, and writes to the primary: two aliases of one database."""

import copy

from django.db import connections

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES

DATABASES['default']['TEST']['NAME'] += '_replica'
DATABASES['replica'] = copy.deepcopy(DATABASES['default'])
DATABASES['replica']['TEST'] = {'MIRROR': 'default'}
DATABASE_ROUTERS = ['tests.projects.replica.Router']


class Router:
    """As Django's documentation has it for a primary with a replica."""

    def db_for_read(self, model, **hints):
        # While the tables of the tests are being made, it shows another database.
        names = {connections[alias].settings_dict['NAME'] for alias in ('default', 'replica')}
        return 'replica' if len(names) == 1 else 'default'

    def db_for_write(self, model, **hints):
        return 'default'

    def allow_relation(self, one, other, **hints):
        return True

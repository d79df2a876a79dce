"""A project with a plugin in the shape of NetBox's."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS, NETBOX_JOBS, PLUGINS_CONFIG

DATABASES['default']['TEST']['NAME'] += '_netbox'
if os.environ.get('TEST_IN_WORKER'):
    DATABASES['default']['NAME'] += '_netbox'
INSTALLED_APPS = [
    *INSTALLED_APPS,
    'django_tables2',
    'netbox_jobs.contrib.netbox',
    'tests.contrib.netbox.inventory.InventoryConfig',
]
PLUGINS_CONFIG = {**PLUGINS_CONFIG, 'tests.contrib.netbox.inventory': {'endpoint': 'https://inventory.example'}}
# The plugin has been released for this one.
NETBOX_JOBS = {**NETBOX_JOBS, 'NETBOX_VERSION': '4.5.10'}
QUEUE_MAPPINGS = {'device': 'low'}
ROOT_URLCONF = 'tests.contrib.netbox.urls'

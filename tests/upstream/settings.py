"""Settings for the tests of Django's tasks: those of our tests, with the queues that the tests name."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, MIDDLEWARE, RQ_QUEUES

QUEUES = ('queue_1', 'queue-1', 'queue-2', 'unknown_queue')
RQ_QUEUES |= dict.fromkeys(QUEUES, RQ_QUEUES['default'])
INSTALLED_APPS = [name for name in INSTALLED_APPS if name not in ('tests.app', 'example_plugin')]
ROOT_URLCONF = 'netbox_jobs.urls'
MIDDLEWARE = [name for name in MIDDLEWARE if not name.startswith('tests.app.')]
TASKS = {'default': {'BACKEND': 'netbox_jobs.contrib.django_tasks.NetBoxJobsBackend', 'QUEUES': ['default', 'queue-1']}}

"""Settings of the tests: the database and the Redis server come from the environment (see `tests/servers.py`)."""

import json
import os
import sys
from importlib.util import find_spec

import django

from project.databases import SQLITE_OPTIONS, database

# Where pytest-xdist divides the tests among several processes, each has a database of its own.
SHARE = os.environ.get('PYTEST_XDIST_WORKER', '')
SECRET_KEY = 'tests only'
DATABASES = {'default': database(os.environ.get('TEST_DATABASE_URL', 'sqlite:///:memory:'))}
if DATABASES['default']['ENGINE'].endswith('.sqlite3'):
    # No commit waits for the disk: the machine does not fail, only processes do. See `django_db_setup` of the tests.
    DATABASES['default']['OPTIONS'] = {
        **SQLITE_OPTIONS,
        'init_command': f'{SQLITE_OPTIONS["init_command"]}; PRAGMA synchronous=OFF',
    }
if getattr(sys.modules.get('MySQLdb'), '__name__', '') == 'pymysql':
    # Else it reads the certificates of the system for each connection: 30 ms.
    DATABASES['default']['OPTIONS']['ssl_disabled'] = True
if os.environ.get('TEST_IN_WORKER'):
    # A worker that a test has started works on the test's database.
    DATABASES['default']['NAME'] = DATABASES['default']['TEST']['NAME'] + (f'_{SHARE}' if SHARE else '')
DEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'
USE_TZ = True
TIME_ZONE = 'Europe/Berlin'
INSTALLED_APPS = [
    'django.contrib.admin',
    'django.contrib.auth',
    'django.contrib.contenttypes',
    'django.contrib.messages',
    'django.contrib.sessions',
    'django.contrib.staticfiles',
    'netbox_jobs',
    'django_rq',
    'tests.app',
    'example_plugin',
]
MIDDLEWARE = [
    'tests.app.middleware.strict_policy',
    'django.contrib.sessions.middleware.SessionMiddleware',
    'django.middleware.csrf.CsrfViewMiddleware',
    'django.contrib.auth.middleware.AuthenticationMiddleware',
    'django.contrib.messages.middleware.MessageMiddleware',
]
TEMPLATES = [
    {
        'BACKEND': 'django.template.backends.django.DjangoTemplates',
        'APP_DIRS': True,
        'OPTIONS': {
            'context_processors': [
                'django.template.context_processors.request',
                'django.contrib.auth.context_processors.auth',
                'django.contrib.messages.context_processors.messages',
            ],
        },
    }
]
ROOT_URLCONF = 'tests.urls'
LOGIN_URL = 'admin:login'
MAILERS = {'default': {'BACKEND': 'django.core.mail.backends.locmem.EmailBackend'}}  # for Django 6.1
STATIC_URL = 'static/'
PASSWORD_HASHERS = ['django.contrib.auth.hashers.MD5PasswordHasher']
# Where no test runs there is nothing to empty: no server listens on port 0.
REDIS_URL = os.environ.get('TEST_REDIS_URL', 'redis://127.0.0.1:0/0')
RQ_QUEUES = {'default': {'URL': REDIS_URL, 'DEFAULT_TIMEOUT': 60}}
if 'TEST_SENTINELS' in os.environ:  # their ports
    _SENTINELS = [('127.0.0.1', int(port)) for port in os.environ['TEST_SENTINELS'].split()]
    RQ_QUEUES['default'] = {'SENTINELS': _SENTINELS, 'MASTER_NAME': 'jobs', 'DB': 0, 'DEFAULT_TIMEOUT': 60}
if 'TEST_OTHER_REDIS' in os.environ:
    RQ_QUEUES['elsewhere'] = {'URL': os.environ['TEST_OTHER_REDIS']}
if django.VERSION < (6, 0) and find_spec('django_tasks'):  # newer ones have tasks of their own
    INSTALLED_APPS.append('django_tasks')
TASKS = {
    'default': {'BACKEND': 'netbox_jobs.contrib.django_tasks.NetBoxJobsBackend', 'QUEUES': ['default', 'low']},
    'eager': {
        'BACKEND': 'netbox_jobs.contrib.django_tasks.NetBoxJobsBackend',
        'QUEUES': [],
        'OPTIONS': {'max_retries': 1, 'retry_backoff': 0, 'PRIORITY_QUEUES': {'low': {0: 'low', 50: 'high'}}},
    },
}
if 'TEST_INLINE' in os.environ:
    RQ_QUEUES['low'] = {**RQ_QUEUES['default'], 'ASYNC': False}
if 'TEST_SERIALIZER' in os.environ:
    RQ_QUEUES['coded'] = {**RQ_QUEUES['default'], 'SERIALIZER': os.environ['TEST_SERIALIZER']}
PLUGINS_CONFIG = {'tests.app': {'token': 'x'}}
NETBOX_JOBS = {'REDIS_TIMEOUT': 1}  # a busy machine may take longer than the default
NETBOX_JOBS |= {
    key.removeprefix('TEST_NETBOX_JOBS_'): json.loads(value)
    for key, value in os.environ.items()
    if key.startswith('TEST_NETBOX_JOBS_')
}

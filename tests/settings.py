"""Settings of the tests: the database and the Redis server come from the environment (see `tests/__main__.py`)."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

try:
    import MySQLdb  # noqa: F401
except ImportError:
    import pymysql

    pymysql.version_info = (2, 2, 8, 'final', 0)  # what Django asks of mysqlclient; PyMySQL has what is used of it
    pymysql.install_as_MySQLdb()


def _database(url: str) -> dict:
    parts = urlsplit(url)
    if parts.scheme == 'sqlite':
        path = parts.path[1:] or str(Path(__file__).parent / 'test.sqlite3')
        return {
            'ENGINE': 'django.db.backends.sqlite3',
            'NAME': path,
            # A file, not memory: workers are processes of their own.
            'TEST': {'NAME': path},
            'OPTIONS': {
                'transaction_mode': 'IMMEDIATE',
                'timeout': 20,
                'init_command': 'PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL',
            },
        }
    engine = {'postgres': 'postgresql', 'postgresql': 'postgresql', 'mysql': 'mysql', 'mariadb': 'mysql'}[parts.scheme]
    name = parts.path[1:]
    return {
        'ENGINE': f'django.db.backends.{engine}',
        'NAME': name,
        'TEST': {'NAME': f'test_{name}', **({'CHARSET': 'utf8mb4'} if engine == 'mysql' else {})},
        'HOST': parts.hostname or '127.0.0.1',
        'PORT': str(parts.port or ''),
        'USER': unquote(parts.username or ''),
        'PASSWORD': unquote(parts.password or ''),
        'OPTIONS': {'charset': 'utf8mb4'} if engine == 'mysql' else {},
    }


SECRET_KEY = 'tests only'
DATABASES = {'default': _database(os.environ.get('TEST_DATABASE_URL', 'sqlite:///'))}
if os.environ.get('TEST_IN_WORKER'):
    # A worker that a test has started works on the test's database.
    DATABASES['default']['NAME'] = DATABASES['default']['TEST']['NAME']
DEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'
USE_TZ = True
TIME_ZONE = 'Europe/Berlin'
INSTALLED_APPS = [
    'django.contrib.admin',
    'django.contrib.auth',
    'django.contrib.contenttypes',
    'django.contrib.messages',
    'django.contrib.sessions',
    'netbox_jobs',
    'django_rq',
    'tests.app',
]
MIDDLEWARE = [
    'django.contrib.sessions.middleware.SessionMiddleware',
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
STATIC_URL = 'static/'
PASSWORD_HASHERS = ['django.contrib.auth.hashers.MD5PasswordHasher']
RQ_QUEUES = {
    'default': {'URL': os.environ.get('TEST_REDIS_URL', 'redis://127.0.0.1:6379/13'), 'DEFAULT_TIMEOUT': 60},
}
PLUGINS_CONFIG = {'tests.app': {'token': 'x'}}
NETBOX_JOBS = {
    key.removeprefix('TEST_NETBOX_JOBS_'): float(value)
    for key, value in os.environ.items()
    if key.startswith('TEST_NETBOX_JOBS_')
}

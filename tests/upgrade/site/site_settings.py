"""Settings of a project that two versions of netbox_jobs serve; the test passes the servers as JSON."""

import json
import os
from contextlib import suppress

with suppress(ImportError):
    import pymysql

    pymysql.version_info = (2, 2, 8, 'final', 0)  # the version of mysqlclient that Django asks for
    pymysql.install_as_MySQLdb()

SECRET_KEY = 'both versions'
DATABASES = {'default': json.loads(os.environ['UPGRADE_DATABASE'])}
DEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'
USE_TZ = True
ALLOWED_HOSTS = ['*']
INSTALLED_APPS = [
    'django.contrib.admin',
    'django.contrib.auth',
    'django.contrib.contenttypes',
    'django.contrib.messages',
    'django.contrib.sessions',
    'netbox_jobs',
    'django_rq',
    'shop',
]
MIDDLEWARE = [
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
ROOT_URLCONF = 'shop.urls'
STATIC_URL = 'static/'
RQ_QUEUES = {'default': {'URL': os.environ['UPGRADE_REDIS'], 'DEFAULT_TIMEOUT': 60}}
NETBOX_JOBS = {'REDIS_TIMEOUT': 1}

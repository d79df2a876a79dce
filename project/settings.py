"""Settings of the demonstration project. SQLite and a local Redis, unless the environment says otherwise."""

import os
from importlib.util import find_spec
from pathlib import Path

import django

from .databases import database

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = os.environ.get('SECRET_KEY', 'for the demonstration only')
DEBUG = os.environ.get('DEBUG', '1') == '1'
ALLOWED_HOSTS = os.environ.get('ALLOWED_HOSTS', '127.0.0.1,localhost').split(',')

INSTALLED_APPS = [
    'django.contrib.admin',
    'django.contrib.auth',
    'django.contrib.contenttypes',
    'django.contrib.messages',
    'django.contrib.sessions',
    'django.contrib.staticfiles',
    'netbox_jobs',  # before django_rq: its rqworker is the one that accounts for every job
    'django_rq',
    'example_plugin',
    'netbox_jobs.contrib.netbox',  # before the plugins that were written for NetBox
    'project.reports.ReportsConfig',
]
MIDDLEWARE = [
    'django.middleware.security.SecurityMiddleware',
    'django.contrib.sessions.middleware.SessionMiddleware',
    'django.middleware.common.CommonMiddleware',
    'django.middleware.csrf.CsrfViewMiddleware',
    'django.contrib.auth.middleware.AuthenticationMiddleware',
    'django.contrib.messages.middleware.MessageMiddleware',
]
TEMPLATES = [
    {
        'BACKEND': 'django.template.backends.django.DjangoTemplates',
        'DIRS': [BASE_DIR / 'project' / 'templates'],
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
ROOT_URLCONF = 'project.urls'
WSGI_APPLICATION = 'project.wsgi.application'
LOGIN_URL = LOGOUT_REDIRECT_URL = 'login'
LOGIN_REDIRECT_URL = '/'
STATIC_URL = 'static/'
USE_TZ = True
TIME_ZONE = os.environ.get('TZ', 'UTC')
DEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'

DATABASES = {'default': database(os.environ.get('DATABASE_URL', f'sqlite:///{BASE_DIR / "db.sqlite3"}'))}

# `high`, `low` and the plugins' queues are filled in, on the connection of `default`.
RQ_QUEUES = {'default': {'URL': os.environ.get('REDIS_URL', 'redis://127.0.0.1:6379/0'), 'DEFAULT_TIMEOUT': 300}}

# Django's tasks run as jobs: those of Django 6, or of the package django-tasks.
TASKS = {'default': {'BACKEND': 'netbox_jobs.contrib.django_tasks.NetBoxJobsBackend'}}
if django.VERSION < (6, 0) and find_spec('django_tasks'):
    INSTALLED_APPS.append('django_tasks')

PLUGINS_CONFIG = {'example_plugin': {'timeout': 5}}

NETBOX_JOBS = {'METRICS_TOKEN': os.environ.get('METRICS_TOKEN', '')}

"""A project without Django's admin, sessions and messages."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

_ABSENT = ('admin', 'messages', 'sessions')
INSTALLED_APPS = [
    app for app in INSTALLED_APPS if app not in (*(f'django.contrib.{name}' for name in _ABSENT), 'example_plugin')
]
MIDDLEWARE: list[str] = []
TEMPLATES = [
    {
        'BACKEND': 'django.template.backends.django.DjangoTemplates',
        'APP_DIRS': True,
        'OPTIONS': {'context_processors': ['django.template.context_processors.request']},
    }
]
ROOT_URLCONF = 'tests.projects.plain_urls'

"""Naive local times, a user model of its own with UUIDs as keys, and the plugin before everything in INSTALLED_APPS."""

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS

DATABASES['default']['TEST']['NAME'] += '_naive'
USE_TZ = False
TIME_ZONE = 'Europe/Berlin'
AUTH_USER_MODEL = 'people.Person'
INSTALLED_APPS = ['tests.app', 'tests.projects.people', *(app for app in INSTALLED_APPS if app != 'tests.app')]

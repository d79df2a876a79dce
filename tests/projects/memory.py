"""A project whose tests have SQLite in memory, as Django sets it up by itself."""

from tests.settings import *  # noqa: F403

DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}}

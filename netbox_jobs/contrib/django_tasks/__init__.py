"""A backend for Django's tasks: each task is a `Job`.

On Django 5.2, tasks come from the package django-tasks (`pip install "netbox-jobs[tasks]"`).
"""

from django.conf import settings

try:
    from .of_django import JobTask, NetBoxJobsBackend
except ModuleNotFoundError as error:
    if error.name != 'django.tasks':
        raise
    from .of_package import JobTask, NetBoxJobsBackend  # type: ignore[assignment]
else:
    if any(app.partition('.')[0] == 'django_tasks' for app in settings.INSTALLED_APPS):
        from . import of_package as of_package

__all__ = ('JobTask', 'NetBoxJobsBackend')

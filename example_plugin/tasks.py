"""A task of Django's kind, which a worker runs as a job: `count_records.enqueue()`."""

from typing import TYPE_CHECKING

import django
from django.db.models import Count

from .models import Source

if TYPE_CHECKING or django.VERSION < (6, 0):
    from django_tasks import task
else:
    from django.tasks import task


@task()
def count_records() -> dict[str, int]:
    """Return how many records each source has."""
    return dict(Source.objects.values_list('name', Count('records')))

"""What the floors write: the same row by a plain model, which knows nothing of jobs."""

from typing import Any

from django.contrib.auth.models import User
from django.db import models

from netbox_jobs.models import Job, JobsMixin


class Thing(JobsMixin, models.Model):
    """What a job is about."""

    name = models.CharField(max_length=100)

    class Meta:
        app_label = 'app'

    def __str__(self) -> str:
        return self.name


def _plain(field: Any) -> models.Field:
    if field.is_relation:
        return models.BigIntegerField(null=True, db_column=field.column)
    return field.clone()


#: The table of jobs, its columns and defaults, as an ordinary model.
Row: Any = type(
    'Row',
    (models.Model,),
    {
        '__module__': __name__,
        'Meta': type('Meta', (), {'managed': False, 'db_table': Job._meta.db_table, 'app_label': 'app'}),
        **{field.attname: _plain(field) for field in Job._meta.concrete_fields if not field.primary_key},
    },
)

__all__ = ('Row', 'Thing', 'User')

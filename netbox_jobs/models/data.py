"""`job.data`: JSON that is encrypted in the row of a job whose runner says so."""

from typing import Any

from django.db import models

from ..core import encryption, runs
from ..core.text import storable_data


class DataField(models.JSONField):
    """JSON that is decrypted when it is read; `storable()` is what encrypts it."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Return what the row has, decrypted."""
        found = super().from_db_value(value, expression, connection)
        return encryption.decrypt_data(found) if isinstance(found, dict) else found

    def deconstruct(self) -> Any:
        """Have the migrations name Django's own field: they differ in Python alone."""
        name, _path, args, kwargs = super().deconstruct()
        return name, 'django.db.models.JSONField', args, kwargs


def storable(job: Any, name: str = 'job.data') -> Any:
    """Return the data of a job as its row keeps it: without sensitive values, and encrypted if the job is.

    Raises:
        TypeError, ValueError: It cannot be stored; the message names where in it, and what it is.
    """
    value = storable_data(runs.masked_data(job), name)
    if value is None or not encryption.is_encrypted(job.arguments_format):
        return value
    return encryption.encrypt_data(value)

"""References without a constraint of the database, to rows that may be deleted before those that refer to them."""

from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.db.models.fields.related_descriptors import ForwardManyToOneDescriptor, ForwardOneToOneDescriptor


class NoneIfGone:
    """Reads None where the row that is referred to was deleted: no constraint of the database knows the reference."""

    field: Any

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        if instance is not None:
            self.field.get_local_related_value(instance)  # if it was deferred, the row itself may be gone: that raises
        try:
            return super().__get__(instance, cls)  # type: ignore[misc]
        except ObjectDoesNotExist:
            self.field.set_cached_value(instance, None)
            return None


class _LooseDescriptor(NoneIfGone, ForwardManyToOneDescriptor):
    """Reads a row of ours."""


class _LooseOneToOneDescriptor(NoneIfGone, ForwardOneToOneDescriptor):
    """Reads the one row of ours."""


class _Loose:
    """A reference without a constraint: it stays when the row that it names is deleted, and is None then."""

    def __init__(self, to: Any, **kwargs: Any) -> None:
        fixed = {'on_delete': models.DO_NOTHING, 'db_constraint': False, 'null': True, 'editable': False}
        super().__init__(to, **{**fixed, **kwargs})  # type: ignore[call-arg]

    def deconstruct(self) -> Any:
        """Have the migrations name Django's own field: they differ in Python alone."""
        name, path, args, kwargs = super().deconstruct()  # type: ignore[misc]
        return name, f'django.db.models.{path.rpartition(".Loose")[2]}', args, kwargs


class LooseForeignKey(_Loose, models.ForeignKey):
    """A foreign key without a constraint."""

    forward_related_accessor_class = _LooseDescriptor


class LooseOneToOneField(_Loose, models.OneToOneField):
    """A one-to-one field without a constraint."""

    forward_related_accessor_class = _LooseOneToOneDescriptor

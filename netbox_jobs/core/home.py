"""What an object is the row of: by database and key, whichever replica it was read from and however it was made."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import router
from django.db.models import Model
from django.utils.functional import LazyObject, empty


def unwrapped(instance: Any) -> Any:
    """Return the object that a lazy one stands for, such as a `SimpleLazyObject`; what is none, as it is.

    What is saved, and passed to the receivers of signals, is that object.
    """
    while issubclass(type(instance), LazyObject):
        if instance._wrapped is empty:
            instance._setup()
        instance = instance._wrapped
    return instance


def home_of(instance: Model) -> str:
    """Return the alias of the database that an object is written to, as the project's routers say.

    Without a router, that is where it was read from.
    """
    instance = unwrapped(instance)
    return router.db_for_write(type(instance), instance=instance)


def key_of(instance: Model) -> str:
    """Return the primary key of an object as text: the same for all objects of its row, however they came by it.

    `Thing(pk='05')` is saved to the row 5, and a UUID may be given as a text in capitals.
    """
    pk: Any = instance._meta.pk
    try:
        return str(pk.to_python(instance.pk))
    except (ValidationError, TypeError, ValueError):
        return str(instance.pk)

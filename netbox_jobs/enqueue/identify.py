"""By what rows know the callable, the object and the user of a call."""

import inspect
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from ..core.home import home_of, key_of
from ..core.import_path import path_of
from ..models import database

_LONGEST_PATH = 255


def identify_instance(instance: Model | None) -> tuple[ContentType | None, str | None, str]:
    """Return the content type, the primary key as text, and the database (if not that of the jobs) of an object.

    Raises:
        ValueError: The object is not saved, or its primary key is composite.
        TypeError: It is no model object.
    """
    if instance is None:
        return None, None, ''
    object_type = content_type_of(instance)
    if is_unsaved(instance):
        raise ValueError(f'instance is an unsaved {instance._meta.label}; save it first.')
    object_db = home_of(instance)
    return object_type, key_of(instance), '' if object_db == database() else object_db


def is_unsaved(instance: Model) -> bool:
    """Return whether the object has no row yet.

    An object that was made with the primary key of a row is not unsaved: its `save()` updates that row. (With a
    default for the key, Django's `save()` inserts a row in any case.)
    """
    if not instance._state.adding and instance.pk is not None:
        return False
    if instance.pk is None or instance._meta.pk.has_default():
        return True
    return not type(instance)._base_manager.using(home_of(instance)).filter(pk=instance.pk).exists()


def content_type_of(instance: Model) -> ContentType:
    """Return the content type of an object, in the database of the jobs.

    Raises:
        ValueError: Its primary key is composite.
        TypeError: It is no model object.
    """
    if not isinstance(instance, Model):
        raise TypeError(
            f'instance is {instance!r:.60} ({type(instance).__name__}); expected a model object or None. (It is the '
            'first argument; those of run() are given by their names.)'
        )
    if isinstance(instance.pk, tuple):
        raise ValueError(f'{instance._meta.label} has a composite primary key, to which jobs cannot refer.')
    return ContentType.objects.db_manager(database()).get_for_model(instance, for_concrete_model=False)


def schedule_key(
    runner: str, object_type: ContentType | None, object_id: str | None, object_db: str, tenant: str
) -> str:
    """Return the identity of a schedule: this runner for this object, or for none, of this tenant, or of none.

    A hash, because MariaDB compares text without regard to case, and has no conditional unique constraints.
    """
    about = '' if object_type is None else f'{object_type.app_label}.{object_type.model}'
    text = '\n'.join((runner, about, object_db, object_id or ''))
    return sha256((f'{tenant}\0{text}' if tenant else text).encode()).hexdigest()


def identify_user(user: Any) -> Any:
    """Return the primary key of a saved user; None for none, and for visitors who are not logged in.

    Raises:
        ValueError: It is no saved user.
    """
    if user is None or getattr(user, 'is_anonymous', False):
        return None
    if not isinstance(user, get_user_model()) or user.pk is None or user._state.adding:
        raise ValueError(f'user is {user!r}; expected a saved {get_user_model()._meta.label} or None.')
    return user.pk


def identify_callable(func: Callable[..., Any], *, importable: bool) -> tuple[str, Any]:
    """Return the path by which rows know a callable, and its runner class; None for a plain function.

    Args:
        func: A runner's `handle`, or a function.
        importable: Whether a worker must be able to import it.

    Raises:
        TypeError: It is neither.
        ValueError: A worker could not import it, or its path is too long.
    """
    owner = getattr(func, '__self__', None)
    if inspect.isclass(owner) and getattr(owner, 'is_job_runner', False) and func.__name__ == 'handle':
        named: Any = owner
        kind: Any = owner
        if inspect.isabstract(owner):
            raise TypeError(f'{path_of(owner)} does not implement run(), so it cannot be enqueued.')
    else:
        named, kind = func, None
    if (
        not callable(func)
        or not hasattr(named, '__qualname__')
        or (owner is not None and not inspect.isclass(owner) and not inspect.isbuiltin(func))
    ):
        raise TypeError(f'{func!r} cannot be enqueued; expected a function of a module, or a JobRunner subclass.')
    path = path_of(named)
    if owner is not None and named is func and inspect.isclass(owner):
        path = f'{path_of(owner)}.{func.__name__}'  # an inherited class method, called on the subclass
    if importable and ('<' in path or named.__module__ == '__main__'):
        raise ValueError(
            f'{path} cannot be imported by a worker (a lambda, something nested in a function, or part of __main__); '
            'move it to the top level of a module.'
        )
    if len(path) > _LONGEST_PATH:
        raise ValueError(f'The path {path} has {len(path)} characters; at most {_LONGEST_PATH} can be stored.')
    return path, kind

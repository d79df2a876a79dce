"""From what was typed to what is meant; what cannot be found is one sentence, and exit code 2."""

import difflib
import inspect
import json
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from importlib import import_module
from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import models, router
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.module_loading import module_has_submodule
from rq.exceptions import TimeoutFormatError
from rq.utils import parse_timeout

from ..core import import_path, options, queues
from ..exceptions import RunnerNotFound, UnknownQueue
from ..execution.runner import JobRunner
from ..models import Job, Schedule, database
from .exits import wrong


def jobs(ids: list[str]) -> list[Job]:
    """The jobs of these numbers or `job_id`s, in this order, each once."""
    return list({found.pk: found for found in map(job, ids)}.values())


def job(text: str) -> Job:
    """The job of this number or `job_id`."""
    rows = Job.objects.using(database()).select_related('object_type')
    if text.isascii() and text.isdigit():
        found = rows.filter(pk=int(text)).first()
    else:
        try:
            found = rows.filter(job_id=UUID(text)).first()
        except ValueError:
            raise wrong(f'{text!r} is no id of a job; expected its number, or its job_id (a UUID).') from None
    if found is None:
        raise wrong(f'There is no job {text}.')
    return found


def schedules(ids: list[str]) -> list[Schedule]:
    """The schedules of these numbers, in this order, each once."""
    return list({found.pk: found for found in map(schedule, ids)}.values())


def schedule(text: str) -> Schedule:
    """The schedule of this number."""
    if not (text.isascii() and text.isdigit()):
        raise wrong(f'{text!r} is no id of a schedule; expected its number, as "jobs schedules" lists it.')
    found = Schedule.objects.using(database()).filter(pk=int(text)).first()
    if found is None:
        raise wrong(f'There is no schedule {text}.')
    return found


def queue(name: str) -> str:
    """The name, if there is such a queue."""
    try:
        return queues.check(name)
    except UnknownQueue as error:
        raise wrong(str(error)) from None


def user(name: str) -> Any:
    """The user of this name."""
    model: Any = get_user_model()
    rows = model._base_manager.using(router.db_for_read(model))
    try:
        return rows.get(**{model.USERNAME_FIELD: name})
    except ObjectDoesNotExist:
        raise wrong(f'There is no user {name!r}.') from None


def instance_type(text: str) -> tuple[ContentType, str]:
    """The content type and the canonical key of `app.model:pk`, whether or not there is such an object."""
    model, key = _model_and_key(text)
    types = ContentType.objects.db_manager(database())
    return types.get_for_model(model, for_concrete_model=False), str(key)


def instance(text: str) -> models.Model:
    """The object of `app.model:pk`."""
    model, key = _model_and_key(text)
    found = model._base_manager.using(router.db_for_read(model)).filter(pk=key).first()
    if found is None:
        raise wrong(f'There is no {model._meta.label_lower} {key}.')
    return found


def _model_and_key(text: str) -> tuple[type[models.Model], Any]:
    label, colon, key = text.partition(':')
    if not colon or label.count('.') != 1 or not key:
        raise wrong(f'{text!r} is no object; expected app.model:pk, for example auth.user:1.')
    try:
        model = apps.get_model(label)
    except LookupError:
        raise wrong(f'There is no model {label!r}; expected app.model:pk, for example auth.user:1.') from None
    try:
        return model, model._meta.pk.to_python(key)
    except ValidationError as error:
        raise wrong(f'{key!r} is no primary key of {label}: {" ".join(error.messages)}') from None


def since(text: str) -> datetime:
    """The moment of '90s', '30m', '2h' or '7d' ago, or of a date, or of a date and a time."""
    try:
        seconds = None if text[-1:].isdigit() else parse_timeout(text)
        found: Any = None if seconds is None else timezone.now() - timedelta(seconds=seconds)
        if found is None and (found := parse_datetime(text)) is None and (day := parse_date(text)) is not None:
            found = datetime.combine(day, time())
    except (TimeoutFormatError, ValueError, OverflowError):
        found = None
    if found is None:
        raise wrong(f'{text!r} is no time; expected 30m, 2h, 7d, 2026-01-31, or "2026-01-31 12:00".')
    if timezone.is_naive(found) == timezone.is_naive(timezone.now()):
        return found
    return timezone.make_aware(found) if timezone.is_naive(found) else timezone.make_naive(found)


def arguments(pairs: list[str]) -> dict[str, Any]:
    """What `--arg k=v` says: each value JSON if it is, else text."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition('=')
        if not equals or not name.isidentifier():
            raise wrong(f'{pair!r} is no argument; expected name=value, for example --arg days=3.')
        if name in options.OPTIONS:
            raise wrong(f'{name!r} is an option of enqueue(), and no argument of run(); it cannot be given by --arg.')
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


# Runners


def runner(text: str) -> type[JobRunner]:
    """The runner of this dotted path, or of this name, if only one has it."""
    if '.' in text and ' ' not in text:
        try:
            found = import_path.resolve(text)
        except RunnerNotFound:
            found = None
        if inspect.isclass(found) and issubclass(found, JobRunner) and not inspect.isabstract(found):
            return found
    broken = _import_runners()
    known = {found.name: found for found in _runners()}
    if text not in known:  # perhaps it is that of a class which has another name for people
        known |= {found.__name__: found for found in _runners() if found.__name__ == text}
    named = sorted({import_path.path_of(found) for found in _runners() if text in (found.name, found.__name__)})
    if len(named) > 1:
        raise wrong(f'{len(named)} runners are named {text!r}; say which: {", ".join(named)}.')
    if named:
        return known[text]
    close = difflib.get_close_matches(text, [*known, *map(import_path.path_of, known.values())], 1)
    raise wrong(
        f'There is no runner {text!r}'
        + (f'; did you mean {close[0]!r}?' if close else '; expected the path of a JobRunner, or its Meta.name.')
        + ''.join(f' ({problem}.)' for problem in broken)
    )


def runner_path(text: str) -> str:
    """The path of a runner, also of one whose code is gone and whose jobs are left."""
    if Job.objects.using(database()).filter(runner=text).exists():
        return text
    return import_path.path_of(runner(text))


def _import_runners() -> list[str]:
    """Import `jobs` of every app, where runners usually are; returns what is wrong with those that are broken."""
    broken = []
    for config in apps.get_app_configs():
        try:
            if module_has_submodule(config.module, 'jobs'):
                import_module(f'{config.name}.jobs')
        except Exception as error:
            broken.append(f'{config.name}.jobs cannot be imported: {type(error).__name__}: {error}')
    return broken


def _runners(of: type[JobRunner] = JobRunner) -> Iterator[type[JobRunner]]:
    for found in of.__subclasses__():
        if not inspect.isabstract(found) and '<' not in found.__qualname__:  # a worker could not import that
            yield found
        yield from _runners(found)

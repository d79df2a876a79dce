"""The lookup of jobs, runners, objects and times by the arguments of a command; unknown ones are usage errors."""

import difflib
import inspect
import json
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import models, router
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from rq.exceptions import TimeoutFormatError
from rq.utils import parse_timeout

from ..core import import_path, options, queues
from ..exceptions import RunnerNotFound, UnknownQueue
from ..execution.runner import JobRunner
from ..models import Job, Schedule, database
from ..monitoring import runners
from .exits import usage_error


def jobs(ids: list[str]) -> list[Job]:
    """Return the jobs with these IDs or `job_id`s, in this order, each once."""
    return list({found.pk: found for found in map(job, ids)}.values())


def job(text: str) -> Job:
    """Return the job with this ID or `job_id`."""
    rows = Job.objects.using(database()).select_related('object_type')
    if text.isascii() and text.isdigit():
        found = rows.filter(pk=int(text)).first()
    else:
        try:
            found = rows.filter(job_id=UUID(text)).first()
        except ValueError:
            raise usage_error(
                f'{text!r} is not the ID of a job; expected a number as "jobs list" shows it, or a job_id (a UUID).'
            ) from None
    if found is None:
        raise usage_error(f'There is no job {text}. List the jobs with "jobs list".')
    return found


def schedules(ids: list[str]) -> list[Schedule]:
    """Return the schedules with these IDs, in this order, each once."""
    return list({found.pk: found for found in map(schedule, ids)}.values())


def schedule(text: str) -> Schedule:
    """Return the schedule with this ID."""
    if not (text.isascii() and text.isdigit()):
        raise usage_error(f'{text!r} is not the ID of a schedule; expected a number as "jobs schedules" shows it.')
    found = Schedule.objects.using(database()).filter(pk=int(text)).first()
    if found is None:
        raise usage_error(f'There is no schedule {text}. List the schedules with "jobs schedules".')
    return found


def queue(name: str) -> str:
    """Return the name of a configured queue."""
    try:
        return queues.check(name)
    except UnknownQueue as error:
        raise usage_error(str(error)) from None


def user(name: str) -> Any:
    """Return the user with this name."""
    model: Any = get_user_model()
    rows = model._base_manager.using(router.db_for_read(model))
    try:
        return rows.get(**{model.USERNAME_FIELD: name})
    except ObjectDoesNotExist:
        raise usage_error(f'There is no user {name!r}.') from None


def instance_type(text: str) -> tuple[ContentType, str]:
    """Return the content type and the canonical key of `app.model:pk`, whether or not the object exists."""
    model, key = _model_and_key(text)
    types = ContentType.objects.db_manager(database())
    return types.get_for_model(model, for_concrete_model=False), str(key)


def instance(text: str) -> models.Model:
    """Return the object of `app.model:pk`."""
    model, key = _model_and_key(text)
    found = model._base_manager.using(router.db_for_read(model)).filter(pk=key).first()
    if found is None:
        raise usage_error(f'There is no {model._meta.label_lower} with the primary key {key}.')
    return found


def _model_and_key(text: str) -> tuple[type[models.Model], Any]:
    label, colon, key = text.partition(':')
    if not colon or label.count('.') != 1 or not key:
        raise usage_error(f'{text!r} is not an object; expected app.model:pk, for example auth.user:1.')
    try:
        model = apps.get_model(label)
    except LookupError:
        raise usage_error(f'There is no model {label!r}; expected app.model:pk, for example auth.user:1.') from None
    try:
        return model, model._meta.pk.to_python(key)
    except ValidationError as error:
        raise usage_error(f'{key!r} is not a primary key of {label}: {" ".join(error.messages)}') from None


def since(text: str) -> datetime:
    """Return the moment of a text: '90s', '30m', '2h' or '7d' ago, a date, or a date and a time."""
    try:
        seconds = None if text[-1:].isdigit() else parse_timeout(text)
        found: Any = None if seconds is None else timezone.now() - timedelta(seconds=seconds)
        if found is None and (found := parse_datetime(text)) is None and (day := parse_date(text)) is not None:
            found = datetime.combine(day, time())
    except (TimeoutFormatError, ValueError, OverflowError):
        found = None
    if found is None:
        raise usage_error(f'{text!r} is not a time; expected 30m, 2h, 7d, 2026-01-31, or "2026-01-31 12:00".')
    if timezone.is_naive(found) == timezone.is_naive(timezone.now()):
        return found
    return timezone.make_aware(found) if timezone.is_naive(found) else timezone.make_naive(found)


def arguments(pairs: list[str]) -> dict[str, Any]:
    """Return the arguments of `--arg name=value`: JSON values, and text for other values."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition('=')
        if not equals or not name.isidentifier():
            raise usage_error(f'{pair!r} is not an argument; expected name=value, for example --arg days=3.')
        if name in options.OPTIONS:
            raise usage_error(f'{name!r} is an option of enqueue() and no argument of run(), so --arg cannot set it.')
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


# Runners


def runner(text: str) -> type[JobRunner]:
    """Return the runner with this dotted path, or with this name, if only one runner has it."""
    if '.' in text and ' ' not in text:
        try:
            found = import_path.resolve(text)
        except RunnerNotFound:
            found = None
        if inspect.isclass(found) and issubclass(found, JobRunner) and not inspect.isabstract(found):
            return found
    broken = runners.import_all()
    every = list(runners.imported())
    known = {found.name: found for found in every}
    if text not in known:  # it may be the name of a class whose Meta.name is another
        known |= {found.__name__: found for found in every if found.__name__ == text}
    named = sorted({import_path.path_of(found) for found in every if text in (found.name, found.__name__)})
    if len(named) > 1:
        raise usage_error(f'{len(named)} runners are named {text!r}; pass the path of one: {", ".join(named)}.')
    if named:
        return known[text]
    close = difflib.get_close_matches(text, [*known, *map(import_path.path_of, known.values())], 1)
    raise usage_error(
        f'There is no runner {text!r}'
        + (f'; did you mean {close[0]!r}?' if close else '; expected the path of a JobRunner, or its Meta.name.')
        + ''.join(f' ({problem}.)' for problem in broken)
    )


def runner_path(text: str) -> str:
    """Return the path of a runner, also of a runner that has jobs and no longer exists."""
    if Job.objects.using(database()).filter(runner=text).exists():
        return text
    return import_path.path_of(runner(text))

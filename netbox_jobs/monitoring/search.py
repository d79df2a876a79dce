"""The words of a search for jobs: in the name, the runner or the error; or, with a field's name, in that field alone.

    needle                     the name, the runner or the error
    error:"no answer"          the error
    object:Berlin              the object, by its name or its key; object:shop.source:3 is one object
    argument:pages=3           the arguments, for users who may see them

The caller bounds how many jobs are compared; here, how much of each is.
"""

import re
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError, models, router
from django.db.models import Q
from django.db.models.functions import Left

from ..core import contexts
from ..models import database
from ..models.querysets import JobQuerySet
from . import counts

#: How many words of a search count, and how many characters of an error or of arguments are compared.
WORDS, READ = 10, 2_000
#: Of how many types, among how many of the objects with the highest keys of each, names are searched;
TYPES, OBJECTS = 10, 10_000
#: and how many of the found ones count.
FOUND = 200
#: The fields that name an object.
NAMES = ('name', 'title', 'label', 'slug')

_PART = re.compile(r'(?:(error|object|argument):)?(?:"([^"]+)"|(\S+))', re.IGNORECASE)


def with_words(jobs: JobQuerySet, term: str, *, arguments: bool = False) -> JobQuerySet:
    """Return the jobs that have all words of a search; the database compares each of the given jobs.

    Args:
        jobs: The jobs, no more than may be compared.
        term: The words; see above.
        arguments: Whether `argument:` finds anything: whether the user may see the arguments of these jobs.
    """
    jobs = jobs.alias(searched_error=Left('error', READ), searched_arguments=Left('arguments_shown', READ))
    for field, word in list(_parts(term))[:WORDS]:
        if field == 'argument':
            jobs = jobs.filter(searched_arguments__icontains=word) if arguments else jobs.none()
        elif field == 'error':
            jobs = jobs.filter(searched_error__icontains=word)
        elif field == 'object':
            jobs = jobs.filter(_about(word), **contexts.tenant_filter())
        else:
            anywhere = Q(name__icontains=word) | Q(runner__icontains=word) | Q(searched_error__icontains=word)
            jobs = jobs.filter(anywhere)
    return jobs


def _parts(term: str) -> Iterator[tuple[str, str]]:
    for found in _PART.finditer(term):
        field, quoted, plain = found.groups()
        yield (field or '').lower(), quoted or plain


def _about(word: str) -> Q:
    """Return the condition that a job is about an object: `app.model:key`, a key, or words of its name."""
    label, colon, key = word.rpartition(':')
    if colon and label.count('.') == 1:
        try:
            model = apps.get_model(label)
        except LookupError:
            return Q(pk__in=())
        kind = ContentType.objects.db_manager(database()).get_for_model(model, for_concrete_model=False)
        return Q(object_type_id=kind.pk, object_id=key)
    condition = Q(object_id=word[:255])
    types = ContentType.objects.db_manager(database()).in_bulk(counts.values('object_type', TYPES))
    for key, kind in types.items():
        if keys := _named(kind.model_class(), word):
            condition |= Q(object_type_id=key, object_id__in=keys)
    return condition


def _named(model: Any, word: str) -> list[str]:
    """Return the keys of the objects with this word in their name, among those with the highest keys."""
    if model is None:
        return []
    fields = [*NAMES, *([model.USERNAME_FIELD] if model is get_user_model() else [])]
    known = {field.name for field in model._meta.get_fields() if isinstance(field, models.CharField | models.TextField)}
    named = [Q(**{f'{field}__icontains': word}) for field in fields if field in known]
    if not named:
        return []
    rows = model._base_manager.using(router.db_for_read(model)).order_by('-pk')
    condition = named[0]
    for other in named[1:]:
        condition |= other
    try:
        last = rows.values_list('pk', flat=True)[OBJECTS : OBJECTS + 1].first()
        found = rows.filter(condition) if last is None else rows.filter(condition, pk__gt=last)
        return [str(key) for key in found.values_list('pk', flat=True)[:FOUND]]
    except DatabaseError:  # a model may have no table
        return []

"""The words of a search for jobs: in the name, the runner or the error; or, with a field's name, in that field alone.

    needle                     the name, the runner or the error
    error:"no answer"          the error
    object:Berlin              the object, by its name or its key; object:shop.source:3 is one object
    argument:pages=3           the arguments, for users who may see them
    before:#4711               goes on with the jobs before this one, where another search has ended

The caller says which jobs are compared, and bounds how many; here, how much of each is.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError, models, router
from django.db.models import Q
from django.db.models.functions import Left

from ..core import contexts
from ..models import database
from . import counts

#: How many words of a search count, and how many characters of an error or of arguments are compared.
WORDS, READ = 10, 1_000
#: Of how many types, among how many of the objects with the highest keys of each, names are searched;
TYPES, OBJECTS = 10, 10_000
#: and how many of the found ones count.
FOUND = 200
#: The fields that name an object.
NAMES = ('name', 'title', 'label', 'slug')

_PART = re.compile(r'(?:(error|object|argument|before):)?(?:"([^"]+)"|(\S+))', re.IGNORECASE)
#: What the condition compares, to be added to a queryset of jobs by `alias()`.
COMPARED = {'searched_error': Left('error', READ), 'searched_arguments': Left('arguments_shown', READ)}
_NOTHING = Q(pk__in=())


@dataclass
class Search:
    """What a term asks for."""

    #: Of each job: whether it is found.
    condition: Q = field(default_factory=Q)
    #: The objects of which one must be a job's, as keys by types, for each `object:` that names them.
    objects: list[dict[int, list[str]]] = field(default_factory=list)
    #: Whether a word is in the error alone.
    errors: bool = False
    #: The number of the job before which to begin.
    before: int | None = None


def parse(term: str, *, arguments: bool = False) -> Search:
    """Return what a search asks for.

    Args:
        term: The words; see above.
        arguments: Whether `argument:` finds anything: whether the user may see the arguments of the jobs.
    """
    search = Search()
    for name, word in list(_parts(term))[:WORDS]:
        if name == 'before':
            number = word.removeprefix('#')
            search.before = int(number) if number.isascii() and number.isdigit() and len(number) < 19 else 0
        elif name == 'argument':
            search.condition &= Q(searched_arguments__icontains=word) if arguments else _NOTHING
        elif name == 'error':
            search.errors = True
            search.condition &= Q(searched_error__icontains=word)
        elif name == 'object':
            objects = _objects(word)
            search.objects.append(objects)
            about = [Q(object_type_id=kind, object_id__in=keys) for kind, keys in objects.items()]
            search.condition &= Q(*about, _connector=Q.OR) & Q(**contexts.tenant_filter()) if about else _NOTHING
        else:
            search.condition &= Q(name__icontains=word) | Q(runner__icontains=word) | Q(searched_error__icontains=word)
    return search


def _parts(term: str) -> Iterator[tuple[str, str]]:
    for found in _PART.finditer(term):
        name, quoted, plain = found.groups()
        yield (name or '').lower(), quoted or plain


def _objects(word: str) -> dict[int, list[str]]:
    """Return the keys of objects by their types: of `app.model:key`, or those with this key or these words."""
    label, colon, key = word.rpartition(':')
    if colon and label.count('.') == 1:
        try:
            model = apps.get_model(label)
        except LookupError:
            return {}
        kind = ContentType.objects.db_manager(database()).get_for_model(model, for_concrete_model=False)
        return {kind.pk: [key]}
    types = ContentType.objects.db_manager(database()).in_bulk(counts.values('object_type', TYPES))
    return {key: [word[:255], *_named(kind.model_class(), word)] for key, kind in types.items()}


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

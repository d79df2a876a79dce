"""Which jobs a search compares: the newest ones in the order of an index, a few thousand at most.

No index has words, and what a search costs must not grow with the table. So each statement reads a window: so many rows
in the order of an index, in a subquery whose LIMIT no database reads beyond, whatever the words and the filters are.
What is found there is at most a few pages of keys; the filters then choose among these. `before:` goes on where a
search has ended, so all jobs can be searched, a window at a time.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import connections
from django.db.models import Case, IntegerField, Value, When

from ..choices import JobStatusChoices
from ..models import Job, database
from ..models.querysets import JobQuerySet
from . import counts, job_filters, search

#: How many jobs are compared at most for a page, and how many of those with the words it has at most.
COMPARED, HITS = 5_000, 500
#: Of how many objects the jobs are read by their index; of more, those among the newest of all jobs are.
OBJECTS = 20
#: The statuses of jobs that have ended with an error: what `error:` compares.
_WRONG = (JobStatusChoices.STATUS_ERRORED, JobStatusChoices.STATUS_FAILED)
_BEFORE = re.compile(r'(?:^|\s)before:\S+', re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """What a search has found, and how far back it has looked."""

    jobs: JobQuerySet
    #: The number of the job before which the search can go on; None if it has compared all.
    earlier: int | None = None

    def earlier_term(self, term: str) -> str:
        """Return the term of the search that goes on, for the one that has found this."""
        return f'{_BEFORE.sub("", term).strip()} before:#{self.earlier}'


@dataclass(frozen=True)
class _Window:
    """The newest rows by a column, in the order of an index."""

    rows: JobQuerySet
    by: str
    size: int = COMPARED

    def before(self, number: int) -> '_Window':
        """Return the window that begins with what is older than the job with this number."""
        place = self.rows.model.objects.using(database()).filter(pk=number).values_list(self.by, flat=True).first()
        if self.by == 'pk' or place is None:
            return replace(self, rows=self.rows.filter(pk__lt=number))
        # Several jobs may share the value: those are compared again.
        return replace(self, rows=self.rows.filter(**{f'{self.by}__lte': place}).exclude(pk=number))


def find(
    jobs: JobQuerySet,
    term: str,
    given: Mapping[str, str] | None = None,
    *,
    arguments: bool = False,
    compared: int | None = None,
    hits: int | None = None,
) -> Found:
    """Return the jobs with a number, with an ID, or with all the words; see `search`.

    Args:
        jobs: The jobs, filtered or not.
        term: The number, the ID, or the words.
        given: The filters of the jobs by the names of their parameters, as `job_filters.order()` takes them.
        arguments: Whether the user may see the arguments of these jobs, and so search them.
        compared: How many jobs are compared at most; `COMPARED` if omitted.
        hits: How many of those with the words it has at most, filtered or not; `HITS` if omitted.
    """
    term = term.replace('\x00', '').strip()
    if not term:
        return Found(jobs)
    number = term.removeprefix('#')
    if number.isascii() and number.isdigit() and len(number) < 19:
        return Found(jobs.filter(pk=int(number)))
    try:
        return Found(jobs.filter(job_id=UUID(term)))
    except ValueError:
        pass
    asked = search.parse(term, arguments=arguments)
    windows = _windows(asked, given or {})
    # In another order than that of the keys, each row may be on a page of the table of its own.
    share = (compared or COMPARED) // (len(windows) if windows[0].by == 'pk' else 3 * len(windows))
    windows = [replace(window, size=max(share, 1)) for window in windows]
    if asked.before is not None:
        windows = [window.before(asked.before) for window in windows]
    keys, earlier = _hits(windows, asked, hits or HITS)
    return Found(jobs.filter(pk__in=keys), earlier)


def _windows(asked: search.Search, given: Mapping[str, str]) -> list[_Window]:
    """Return the windows of which the filters, or the words, let an index give the most."""
    jobs = Job.objects.using(database())
    objects = [[(kind, key) for kind, keys in found.items() for key in keys] for found in asked.objects if found]
    fewest = min(objects, key=len, default=[])
    if fewest and len(fewest) <= OBJECTS:
        rows = [jobs.filter(object_type_id=kind, object_id=key) for kind, key in fewest]
        return [_Window(each.order_by('-created'), 'created') for each in rows]
    by = job_filters.order(given).removeprefix('-')
    if by == 'completed':
        jobs = job_filters.with_value(jobs, 'error', given['error'])
    elif by == 'due':
        jobs = job_filters.with_value(jobs, 'status', given['status'])
    elif by == 'created':
        about, when = given.get('about', ''), given.get('when', '')
        jobs = job_filters.about(jobs, about) if ':' in about else job_filters.created_in(jobs, when)
    elif asked.errors:
        return [_Window(jobs.filter(status=status).order_by('-due'), 'due') for status in _WRONG]
    return [_Window(jobs.order_by(f'-{by}'), by)]


def _hits(windows: list[_Window], asked: search.Search, limit: int) -> tuple[list[int], int | None]:
    """Return the keys of the jobs with the words, and the job before which to go on."""
    using = database()
    hit = Case(When(asked.condition, then=1), default=0, output_field=IntegerField()) if asked.condition else Value(1)
    parts: list[str] = []
    params: list[Any] = []
    for number, window in enumerate(windows):
        rows = window.rows.alias(**search.COMPARED).annotate(hit=hit).values('id', 'hit')[: window.size]
        sql, values = rows.query.get_compiler(using).as_sql()
        # Of statements that Django has made; values are parameters.
        found = f'SELECT {number}, id FROM ({sql}) w{number} WHERE hit = 1 LIMIT {limit + 1}'  # nosec B608
        parts.append(f'SELECT * FROM ({found}) f{number}')  # nosec B608
        params += values
    with connections[using].cursor() as cursor:
        cursor.execute(' UNION ALL '.join(parts), params)
        hits: dict[int, list[int]] = defaultdict(list)
        for number, key in cursor.fetchall():
            hits[number].append(key)
    ends = _ends(windows)
    most = max(limit // len(windows), 1)
    ends.update({number: keys[most - 1] for number, keys in hits.items() if len(keys) > most})
    return sorted({key for keys in hits.values() for key in keys[:most]}), max(ends.values(), default=None)


def _ends(windows: list[_Window]) -> dict[int, int]:
    """Return the last job of each window that is full, by the places of the windows."""
    # The index has all that is read of keys and of `due`; the other columns are times, which not every driver returns.
    columns = {n: 'due' if window.by == 'due' else 'pk' for n, window in enumerate(windows)}
    lasts = counts.firsts({n: windows[n].rows.values(column)[windows[n].size - 1 :] for n, column in columns.items()})
    full = {n: last for n, last in lasts.items() if last is not None}
    dues = {n: windows[n].rows.filter(due=last) for n, last in full.items() if columns[n] == 'due'}
    full.update(counts.firsts({n: rows.order_by().values('pk') for n, rows in dues.items()}))
    return {n: int(key) for n, key in full.items() if key is not None}

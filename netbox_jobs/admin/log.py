"""A job's log on its page: some lines at a time, by the keys of the lines, so that a long log stays fast."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Left, Length
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext_lazy as _

from ..core import formatting
from ..models import Job, JobLogEntry

#: How many lines a page has, and how many characters of a line; a link leads to the whole line.
LINES = 500
LENGTH = 4000
#: The levels to choose from: what each is called, and the levels of its lines.
LEVELS = {
    '': (_('All levels'), ()),
    'info': (_('Info and above'), ('info', 'warning', 'error', 'critical')),
    'warning': (_('Warnings and errors'), ('warning', 'error', 'critical')),
    'error': (_('Errors'), ('error', 'critical')),
}


@dataclass(frozen=True)
class LogQuery:
    """Which lines of a log to show."""

    level: str = ''
    words: str = ''
    after: int | None = None
    before: int | None = None
    begin: bool = False

    @classmethod
    def from_request(cls, request: HttpRequest) -> 'LogQuery':
        """Read the query of a request; values that cannot be understood count as omitted."""
        level = request.GET.get('level', '')
        return cls(
            level=level if level in LEVELS else '',
            words=request.GET.get('q', '').replace('\x00', '')[:200],
            after=_number(request.GET.get('after')),
            before=_number(request.GET.get('before')),
            begin='begin' in request.GET,
        )

    def select(self, job: Job) -> 'QuerySet[JobLogEntry]':
        """Return all lines of a job that match."""
        lines = JobLogEntry.objects.using(job._state.db).filter(job_id=job.pk)
        if self.level:
            lines = lines.filter(level__in=LEVELS[self.level][1])
        return lines.filter(message__icontains=self.words) if self.words else lines


@dataclass(frozen=True)
class Line:
    """A line of a page."""

    pk: int
    attempt: int
    at: datetime
    level: str
    text: str
    length: int

    @property
    def cut(self) -> bool:
        """Whether the line is longer than the page shows."""
        return self.length > LENGTH


@dataclass(frozen=True)
class Page:
    """Some lines in order, and whether there are lines before and after them."""

    lines: list[Line]
    query: LogQuery
    first: int
    last: int
    earlier: bool
    more: bool
    ended: bool

    @classmethod
    def read(cls, job: Job, query: LogQuery) -> 'Page':
        """Read the lines after a line or before a line; without either, the last lines of the log."""
        rows = query.select(job).annotate(start=Left('message', LENGTH), length=Length('message')).defer('message')
        if query.after is not None or query.begin:
            after = query.after or 0
            found = list(rows.filter(pk__gt=after).order_by('pk')[: LINES + 1])
            more, earlier = len(found) > LINES, after > 0
            found = found[:LINES]
        else:
            if query.before is not None:
                rows = rows.filter(pk__lt=query.before)
            found = list(rows.order_by('-pk')[: LINES + 1])
            more, earlier = query.before is not None, len(found) > LINES
            found = found[:LINES][::-1]
        lines = [_line(row) for row in found]
        first = lines[0].pk if lines else query.before or 0
        last = lines[-1].pk if lines else query.after or 0
        return cls(lines, query, first, last, earlier, more, job.ended)

    @property
    def levels(self) -> list[tuple[str, Any, bool]]:
        """The levels to choose from: value, label, and whether it is selected."""
        return [(value, label, value == self.query.level) for value, (label, _names) in LEVELS.items()]


def _line(row: Any) -> Line:
    level = row.level if row.level in ('debug', 'info', 'warning', 'error', 'critical') else 'other'
    return Line(row.pk, row.attempt, row.timestamp, level, formatting.clean(row.start), row.length)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def trace(job: Job) -> str:
    """Return the traceback with which a job ended, out of its log; empty if there is none."""
    lines = JobLogEntry.objects.using(job._state.db).filter(job_id=job.pk, level='error').order_by('-pk')
    found = lines.annotate(start=Left('message', 50_000)).values_list('start', flat=True).first() or ''
    return formatting.clean(found) if 'Traceback (most recent call last)' in found else ''


def whole_line(job: Job, key: int) -> HttpResponse:
    """Answer with one line in full, as plain text."""
    line = JobLogEntry.objects.using(job._state.db).filter(job_id=job.pk, pk=key).first()
    if line is None:
        raise Http404
    return plain(formatting.clean(line.message))


def plain(text: str) -> HttpResponse:
    """Answer with plain text that no browser takes for HTML."""
    response = HttpResponse(text, content_type='text/plain; charset=utf-8')
    response['X-Content-Type-Options'] = 'nosniff'
    return response


def download(job: Job, query: LogQuery) -> StreamingHttpResponse:
    """Answer with the matching lines as a text file, read and sent in pieces."""

    def pieces() -> Iterator[str]:
        after = 0
        while batch := list(query.select(job).filter(pk__gt=after).order_by('pk')[:LINES]):
            after = batch[-1].pk
            yield ''.join(
                f'{_stamp(line)} {line.level.upper():<8} {formatting.clean(line.message)}\n' for line in batch
            )

    response = StreamingHttpResponse(pieces(), content_type='text/plain; charset=utf-8')
    response['Content-Disposition'] = f'attachment; filename="job-{job.pk}.log"'
    response['X-Content-Type-Options'] = 'nosniff'
    return response


def _stamp(line: JobLogEntry) -> str:
    return f'{formatting.date(line.timestamp)} {formatting.log_time(line.timestamp)}'

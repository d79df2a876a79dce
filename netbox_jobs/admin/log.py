"""A job's log as people read it: a page at a time, by the key of its lines, so that a long one stays quick."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Left, Length
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext_lazy as _

from ..models import Job, JobLogEntry
from . import shown

#: Lines on a page, and characters of a line; the rest of it is one click away.
LINES = 500
LENGTH = 4000
#: What is chosen from: at least this level.
LEVELS = {
    '': (_('All levels'), ()),
    'info': (_('Info and above'), ('info', 'warning', 'error', 'critical')),
    'warning': (_('Warnings and errors'), ('warning', 'error', 'critical')),
    'error': (_('Errors'), ('error', 'critical')),
}


@dataclass(frozen=True)
class Wish:
    """Which lines somebody wants to see."""

    level: str = ''
    words: str = ''
    after: int | None = None
    before: int | None = None
    begin: bool = False

    @classmethod
    def of(cls, request: HttpRequest) -> 'Wish':
        """What a request asks for; what cannot be understood is not asked for."""
        level = request.GET.get('level', '')
        return cls(
            level=level if level in LEVELS else '',
            words=request.GET.get('q', '').replace('\x00', '')[:200],
            after=_number(request.GET.get('after')),
            before=_number(request.GET.get('before')),
            begin='begin' in request.GET,
        )

    def of_job(self, job: Job) -> 'QuerySet[JobLogEntry]':
        """The lines that are wanted, on whichever page."""
        lines = JobLogEntry.objects.using(job._state.db).filter(job_id=job.pk)
        if self.level:
            lines = lines.filter(level__in=LEVELS[self.level][1])
        return lines.filter(message__icontains=self.words) if self.words else lines


@dataclass(frozen=True)
class Line:
    """A line as it is shown."""

    pk: int
    attempt: int
    at: datetime
    level: str
    text: str
    length: int

    @property
    def cut(self) -> bool:
        """Whether there is more of it."""
        return self.length > LENGTH


@dataclass(frozen=True)
class Page:
    """Some lines, in order, and what there is before and after them."""

    lines: list[Line]
    wish: Wish
    first: int
    last: int
    earlier: bool
    more: bool
    ended: bool

    @classmethod
    def of(cls, job: Job, wish: Wish) -> 'Page':
        """The lines after or before one; without either, the last of the log, which is where things happen."""
        rows = wish.of_job(job).annotate(begins=Left('message', LENGTH), length=Length('message')).defer('message')
        if wish.after is not None or wish.begin:
            after = wish.after or 0
            found = list(rows.filter(pk__gt=after).order_by('pk')[: LINES + 1])
            more, earlier = len(found) > LINES, after > 0
            found = found[:LINES]
        else:
            if wish.before is not None:
                rows = rows.filter(pk__lt=wish.before)
            found = list(rows.order_by('-pk')[: LINES + 1])
            more, earlier = wish.before is not None, len(found) > LINES
            found = found[:LINES][::-1]
        lines = [_line(row) for row in found]
        first = lines[0].pk if lines else wish.before or 0
        last = lines[-1].pk if lines else wish.after or 0
        return cls(lines, wish, first, last, earlier, more, job.ended)

    @property
    def levels(self) -> list[tuple[str, Any, bool]]:
        """The levels to choose from: value, text, and whether it is chosen."""
        return [(value, label, value == self.wish.level) for value, (label, _names) in LEVELS.items()]


def _line(row: Any) -> Line:
    level = row.level if row.level in ('debug', 'info', 'warning', 'error', 'critical') else 'other'
    return Line(row.pk, row.attempt, row.timestamp, level, shown.clean(row.begins), row.length)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def trace(job: Job) -> str:
    """The traceback that a job has ended with, out of its log; empty if there is none."""
    lines = JobLogEntry.objects.using(job._state.db).filter(job_id=job.pk, level='error').order_by('-pk')
    found = lines.annotate(begins=Left('message', 50_000)).values_list('begins', flat=True).first() or ''
    return shown.clean(found) if 'Traceback (most recent call last)' in found else ''


def whole_line(job: Job, key: int) -> HttpResponse:
    """One line in full, as plain text."""
    line = JobLogEntry.objects.using(job._state.db).filter(job_id=job.pk, pk=key).first()
    if line is None:
        raise Http404
    return plain(shown.clean(line.message))


def plain(text: str) -> HttpResponse:
    """Plain text that no browser takes for anything else."""
    response = HttpResponse(text, content_type='text/plain; charset=utf-8')
    response['X-Content-Type-Options'] = 'nosniff'
    return response


def download(job: Job, wish: Wish) -> StreamingHttpResponse:
    """The lines that are wanted, as a text file; read and sent in pieces."""

    def pieces() -> Iterator[str]:
        after = 0
        while batch := list(wish.of_job(job).filter(pk__gt=after).order_by('pk')[:LINES]):
            after = batch[-1].pk
            yield ''.join(
                f'{line.timestamp.isoformat(" ", "milliseconds")} {line.level.upper():<8} {shown.clean(line.message)}\n'
                for line in batch
            )

    response = StreamingHttpResponse(pieces(), content_type='text/plain; charset=utf-8')
    response['Content-Disposition'] = f'attachment; filename="job-{job.pk}.log"'
    response['X-Content-Type-Options'] = 'nosniff'
    return response

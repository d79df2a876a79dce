"""The output of commands as plain text without colors; `rich_screen` has that for terminals."""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Protocol

from django.core.management.base import OutputWrapper
from django.utils.text import capfirst

from ..core import formatting
from ..models import Job, JobLogEntry, Progress

# What a terminal acts on, and JSON does not escape by itself: it stands within texts only, where it can be.
_UNSAFE = re.compile('[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]')

#: Seconds between two lines about progress, where there is no bar.
PROGRESS_EVERY = 10.0


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table. A terminal shows `brief`, if given; `style` is a status, a level, or 'dim'."""

    text: str
    style: str = ''
    brief: str = ''


@dataclass(frozen=True, slots=True)
class Column:
    """A column. A terminal may cut a `flexible` one and omits an `extra` one; a narrow one, those with most `spare`."""

    title: str
    right: bool = False
    flexible: bool = False
    extra: bool = False
    spare: int = 0


@dataclass(slots=True)
class Table:
    """Rows below titles."""

    columns: tuple[Column, ...]
    rows: list[list[Cell]] = field(default_factory=list)


class View(Protocol):
    """The display of a job that is watched."""

    def state(self, job: Job, progress: Progress | None, wait: str) -> None:
        """Show the state of the job; `wait` says why it waits."""


class Screen:
    """Plain text, for pipes, and for terminals without `rich`."""

    def __init__(self, out: OutputWrapper, err: OutputWrapper) -> None:
        self.out, self.err = out, err
        self._attempt = 1

    def line(self, text: str, style: str = '') -> None:
        """Write a line to standard output."""
        self.out.write(formatting.clean(text) + '\n')
        self.out.flush()

    def notice(self, text: str) -> None:
        """Write a line to standard error."""
        self.err.write(formatting.clean(text), str)
        self.err.flush()

    def result(self, key: int | str | None, text: str, *, done: bool = True, count: int | None = None) -> None:
        """Write what became of one object: a line, on standard error unless the command did what was asked.

        Args:
            key: The number or the name of the object.
            text: A sentence.
            done: Whether it is as asked now.
            count: How many rows it was, for scripts.
        """
        if done:
            self.line(text)
        else:
            self.notice(text)

    def json(self, document: Any, *, indent: int | None = 2) -> None:
        """Write a JSON document to standard output."""
        text = json.dumps(document, indent=indent, ensure_ascii=False)
        self.out.write(_UNSAFE.sub(lambda found: f'\\u{ord(found[0]):04x}', text) + '\n')
        self.out.flush()

    def pieces(self, texts: Iterable[str]) -> None:
        """Write texts to standard output as they are, piece by piece; they have no control characters."""
        for text in texts:
            self.out.write(text)
        self.out.flush()

    def table(self, table: Table, empty: str) -> None:
        """Write a table, columns two spaces apart; without rows, write `empty` to standard error."""
        rows = [[' '.join(formatting.clean(cell.text).split()) or '-' for cell in row] for row in table.rows]
        rows.insert(0, [column.title.upper() for column in table.columns])
        widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
        for row in rows:
            cells = zip(row, widths, table.columns, strict=True)
            self.line('  '.join(t.rjust(w) if column.right else t.ljust(w) for t, w, column in cells).rstrip())
        if not table.rows:
            self.notice(empty)

    def fields(self, title: str, pairs: Iterable[tuple[str, Cell]]) -> None:
        """Write names and values; a value of several lines is indented below its name."""
        self.line(title)
        for name, cell in pairs:
            lines = cell.text.splitlines() or ['-']
            self.line(f'{name}: {lines[0]}' if len(lines) == 1 else f'{name}:')
            for each in lines if len(lines) > 1 else ():
                self.line(f'  {each}')

    def heading(self, text: str) -> None:
        """Begin another part of the output."""
        self.line('')
        self.line(f'{text}:')

    def log(self, lines: Iterable[JobLogEntry]) -> None:
        """Write lines of a log, with a line between attempts."""
        for line in lines:
            if line.attempt != self._attempt:
                self._attempt = line.attempt
                self.attempt(line.attempt)
            self.log_line(line)

    def attempt(self, number: int) -> None:
        """Begin the log lines of an attempt."""
        self.line(capfirst(formatting.attempt(number)))

    def log_line(self, line: JobLogEntry) -> None:
        """Write a line of a log."""
        day, time = formatting.date(line.timestamp), formatting.log_time(line.timestamp)
        self.line(f'{day} {time} {line.level.upper():<8} {line.message.rstrip()}')

    @contextmanager
    def watching(self, job: Job) -> Iterator[View]:
        """Show a job while it waits and runs."""
        yield PlainView(self)

    def live(self, top: Any, every: float) -> None:
        """Show what happens now: once, where there is no terminal to show it again and again.

        Args:
            top: A `top.Top`.
            every: Seconds between two looks, on a terminal.
        """
        for number, (title, table) in enumerate(top.tables().items()):
            if number:
                self.line('')
            self.line(f'{capfirst(title)}:')
            self.table(table, 'None.')

    def ask(self, question: str) -> None:
        """Write a question that expects y or n."""
        self.err.write(f'{formatting.clean(question)} [y/N] ', str, ending='')
        self.err.flush()


class PlainView:
    """A line for each change of the status, and a line about the progress from time to time."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._shown = ''
        self._next_progress = monotonic() + PROGRESS_EVERY

    def state(self, job: Job, progress: Progress | None, wait: str) -> None:
        """Show the state of the job."""
        status = formatting.status(job.status, stopping=job.stopping is not None).lower()
        text = f'Job {job.pk} ({job.name}) is {status}{f": {wait}" if wait else ""}.'
        if text != self._shown and not job.ended:
            self._screen.notice(text)
        self._shown = text
        if progress is not None and monotonic() >= self._next_progress:
            self._next_progress = monotonic() + PROGRESS_EVERY
            self._screen.notice(f'Job {job.pk} ({job.name}): {progress_text(progress)}')


def progress_text(progress: Progress, *, percent: bool = True) -> str:
    """Return the progress of a run: '25%, 120 of 480, about 9 s left: Storing'."""
    figures = [formatting.amount(progress.current, progress.total)]
    if percent and progress.percent is not None:
        figures.insert(0, formatting.percent(progress.percent))
    if progress.remaining:
        figures.append(formatting.remaining(progress.remaining))
    return ', '.join(figures) + (f': {progress.message}' if progress.message else '')

"""Where commands show things: plain text, stable and without colours; `rich_screen` does better on a terminal."""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Protocol

from django.core.management.base import OutputWrapper

from ..models import Job, JobLogEntry, Progress
from . import times

#: What could move a terminal's cursor, or worse: logs, names and errors hold what others have written.
_CONTROLS = re.compile(r'[\x00-\x08\x0b-\x1f\x7f-\x9f]')
#: Seconds between two lines about progress, where there is no bar.
TELLING = 10.0


def printable(text: str) -> str:
    """The text, its control characters shown as what they are; line ends and tabs stay."""
    return _CONTROLS.sub(lambda found: repr(found[0])[1:-1], text.replace('\r\n', '\n'))


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a table; `brief`, if given, on a terminal. `style` is that of a status, a level, or 'dim'."""

    text: str
    style: str = ''
    brief: str = ''


@dataclass(frozen=True, slots=True)
class Column:
    """A column; a terminal may cut a `flexible` one, and leaves out an `extra` one."""

    title: str
    right: bool = False
    flexible: bool = False
    extra: bool = False


@dataclass(slots=True)
class Table:
    """Rows below titles."""

    columns: tuple[Column, ...]
    rows: list[list[Cell]] = field(default_factory=list)


class View(Protocol):
    """A job that is watched."""

    def state(self, job: Job, progress: Progress | None, hint: str) -> None:
        """Show where it stands; `hint` says why it waits."""


class Screen:
    """Plain text: what pipes get, and terminals without rich."""

    def __init__(self, out: OutputWrapper, err: OutputWrapper) -> None:
        self.out, self.err = out, err
        self._attempt = 1

    def line(self, text: str, style: str = '') -> None:
        """A line of the answer."""
        self.out.write(printable(text) + '\n')
        self.out.flush()

    def notice(self, text: str) -> None:
        """A line beside the answer."""
        self.err.write(printable(text), str)
        self.err.flush()

    def json(self, document: Any, *, indent: int | None = 2) -> None:
        """The answer for scripts."""
        self.out.write(json.dumps(document, indent=indent, ensure_ascii=False) + '\n')
        self.out.flush()

    def table(self, table: Table, empty: str) -> None:
        """Rows below titles, a line each, columns two spaces apart; `empty` beside the answer if there are none."""
        rows = [[' '.join(printable(cell.text).split()) or '-' for cell in row] for row in table.rows]
        rows.insert(0, [column.title.upper() for column in table.columns])
        widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
        for row in rows:
            cells = zip(row, widths, table.columns, strict=True)
            self.line('  '.join(t.rjust(w) if column.right else t.ljust(w) for t, w, column in cells).rstrip())
        if not table.rows:
            self.notice(empty)

    def fields(self, title: str, pairs: Iterable[tuple[str, Cell]]) -> None:
        """Names and values; a value of several lines is indented below its name."""
        self.line(title)
        for name, cell in pairs:
            lines = cell.text.splitlines() or ['-']
            self.line(f'{name}: {lines[0]}' if len(lines) == 1 else f'{name}:')
            for each in lines if len(lines) > 1 else ():
                self.line(f'  {each}')

    def heading(self, text: str) -> None:
        """What follows is another part of the answer."""
        self.line('')
        self.line(f'{text}:')

    def log(self, lines: Iterable[JobLogEntry]) -> None:
        """Lines of a log, as they are; those of a traceback follow the line that they belong to."""
        for line in lines:
            if line.attempt != self._attempt:
                self._attempt = line.attempt
                self.attempt(line.attempt)
            self.log_line(line)

    def attempt(self, number: int) -> None:
        """What follows in the log is of this attempt."""
        self.line(f'Attempt {number}')

    def log_line(self, line: JobLogEntry) -> None:
        """A line of a log."""
        self.line(f'{times.local(line.timestamp)} {line.level.upper():<8} {line.message.rstrip()}')

    @contextmanager
    def watching(self, job: Job) -> Iterator[View]:
        """Show a job as it goes on."""
        yield PlainView(self)

    def ask(self, question: str) -> None:
        """Show a question to whom it will be answered by."""
        self.err.write(f'{printable(question)} [y/N] ', str, ending='')
        self.err.flush()


class PlainView:
    """A line for each change of status, and one about progress from time to time."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._said = ''
        self._next_telling = monotonic() + TELLING

    def state(self, job: Job, progress: Progress | None, hint: str) -> None:
        """Show where it stands."""
        said = f'Job {job.pk} ({job.name}) is {job.status}{f": {hint}" if hint else ""}.'
        if said != self._said and not job.ended:
            self._screen.notice(said)
        self._said = said
        if progress is not None and monotonic() >= self._next_telling:
            self._next_telling = monotonic() + TELLING
            self._screen.notice(f'Job {job.pk} ({job.name}): {progress}')

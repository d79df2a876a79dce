"""The output on terminals where `rich` is installed: colors, tables that fit, and a progress bar."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import OutputWrapper
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as Bar
from rich.rule import Rule
from rich.table import Column as RichColumn
from rich.table import Table as RichTable
from rich.text import Text

from ..core import formatting
from ..models import Job, JobLogEntry, Progress
from . import rich_top
from .screen import Cell, Column, Screen, Table, View, progress_text

_STYLES = {
    'pending': 'cyan',
    'scheduled': 'bright_black',
    'running': 'bold blue',
    'completed': 'green',
    'errored': 'bold red',
    'failed': 'magenta',
    'canceled': 'yellow',
    'debug': 'bright_black',
    'info': 'blue',
    'warning': 'yellow',
    'error': 'red',
    'critical': 'bold red',
    'dim': 'bright_black',
    'paused': 'yellow',
}

#: The width between columns, and the least width of a flexible one.
_GAP = 2
_NARROWEST = 8
#: A column that is cut to fewer characters says little: rather than that, spare ones are omitted.
_READABLE = 16


class RichScreen(Screen):
    """Tables, colors and bars on a terminal."""

    def __init__(self, out: OutputWrapper, err: OutputWrapper, *, color: bool) -> None:
        super().__init__(out, err)
        self._day = ''
        self.console = Console(
            file=out,  # type: ignore[arg-type]
            highlight=False,
            markup=False,
            emoji=False,
            force_terminal=True,
            no_color=None if color else True,
        )

    def line(self, text: str, style: str = '') -> None:
        self.console.print(_text(text, style), soft_wrap=True)

    def table(self, table: Table, empty: str) -> None:
        if table.rows:
            self.console.print(self.drawn(table))
        else:
            self.line(empty, 'dim')

    def drawn(self, table: Table, selected: int | None = None) -> RichTable:
        """Return a table that fits the terminal, with one row selected."""
        cells = [
            [_text(' '.join((cell.brief or cell.text).split()) or '-', cell.style) for cell in row]
            for row in table.rows
        ]
        # Columns that are empty in all rows are omitted.
        shown = [
            place
            for place, column in enumerate(table.columns)
            if not column.extra and any(row[place].plain != '-' for row in cells)
        ]
        shown = self._fitting(table.columns, cells, shown)
        widths = self._widths(
            [table.columns[place] for place in shown], [[row[place] for place in shown] for row in cells]
        )
        drawn = RichTable(
            box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style='bold', show_edge=False
        )
        for place, width in zip(shown, widths, strict=True):
            column = table.columns[place]
            drawn.add_column(
                column.title,
                justify='right' if column.right else 'left',
                no_wrap=True,
                overflow='ellipsis',
                width=width,
            )
        for number, row in enumerate(cells):
            drawn.add_row(*(row[place] for place in shown), style='reverse' if number == selected else None)
        return drawn

    def live(self, top: Any, every: float) -> None:
        if self.out.isatty() and sys.stdin.isatty():
            rich_top.run(self.console, self.drawn, top, every, sys.stdin.fileno())
        else:
            super().live(top, every)

    def _fitting(self, columns: tuple[Column, ...], rows: list[list[Text]], shown: list[int]) -> list[int]:
        """Return the places without those of spare columns for which the terminal is too narrow."""

        def needed(place: int) -> int:
            column = columns[place]
            width = max(len(column.title), *(row[place].cell_len for row in rows))
            return min(width, _READABLE) if column.flexible else width

        while sum(map(needed, shown)) + _GAP * (len(shown) - 1) > self.console.width:
            spare = max(shown, key=lambda place: columns[place].spare)
            if not columns[spare].spare:
                break
            shown = [place for place in shown if place != spare]
        return shown

    def _widths(self, columns: list[Column], rows: list[list[Text]]) -> list[int]:
        """Return the widths of the columns; where they do not fit, the widest flexible columns are cut."""
        widths = [max(len(column.title), *(row[n].cell_len for row in rows)) for n, column in enumerate(columns)]
        room = self.console.width - _GAP * (len(columns) - 1)
        while sum(widths) > room:
            flexible = [n for n, column in enumerate(columns) if column.flexible and widths[n] > _NARROWEST]
            if not flexible:
                break
            widths[max(flexible, key=widths.__getitem__)] -= 1
        return widths

    def fields(self, title: str, pairs: Iterable[tuple[str, Cell]]) -> None:
        self.console.print(_text(title, 'bold'))
        drawn = RichTable.grid(RichColumn(style='bright_black', no_wrap=True), RichColumn(), padding=(0, 2))
        for name, cell in pairs:
            drawn.add_row(name, _text(cell.text or '-', cell.style))
        self.console.print(Padding(drawn, (0, 0, 0, 2)))

    def heading(self, text: str) -> None:
        self.console.print()
        self.console.print(_text(text, 'bold'))

    def attempt(self, number: int) -> None:
        self.console.print(Rule(formatting.attempt(number), style='bright_black'))

    def log_line(self, line: JobLogEntry) -> None:
        day = formatting.date(line.timestamp)
        if day != self._day:
            self._day = day
            self.line(day, 'dim')
        message = _text(line.message.rstrip(), '' if line.level == 'info' else line.level)
        head = Text.assemble(
            (formatting.log_time(line.timestamp), 'bright_black'),
            ' ',
            (f'{line.level.upper():<7}', _STYLES.get(line.level, '')),
        )
        if '\n' not in message.plain and head.cell_len + 1 + message.cell_len <= self.console.width:
            self.console.print(Text.assemble(head, ' ', message), soft_wrap=True)
            return
        drawn = RichTable.grid(RichColumn(no_wrap=True), RichColumn(overflow='fold'), padding=(0, 1))
        drawn.add_row(head, message)
        self.console.print(drawn)

    @contextmanager
    def watching(self, job: Job) -> Iterator[View]:
        bar = Bar(
            SpinnerColumn(),
            TextColumn('{task.description}'),
            BarColumn(bar_width=20),
            TextColumn('{task.fields[text]}', table_column=RichColumn(no_wrap=True, overflow='ellipsis')),
            console=self.console,
            transient=True,
            refresh_per_second=8,
        )
        with bar:
            yield _BarView(bar)


class _BarView:
    """One line with the bar, below the log."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._task = bar.add_task('', total=None, text='')

    def state(self, job: Job, progress: Progress | None, wait: str) -> None:
        if job.status != 'running':
            progress = None
        status = formatting.status(job.status, stopping=job.stopping is not None)
        self._bar.update(
            self._task,
            description=formatting.clean(f'{job.name[:24]} {status.lower()}'),
            total=progress.total if progress is not None and progress.total else None,
            completed=progress.current if progress is not None else 0,
            text=formatting.clean(wait if progress is None else progress_text(progress, percent=False)),
            refresh=True,
        )


def _text(text: str, style: str = '') -> Text:
    return Text(formatting.clean(text), style=_STYLES.get(style, style))

"""Numbers measured side by side, and the table of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any


@dataclass
class Series:
    """What was measured of one thing, one number a round."""

    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return median(self.values)

    def __str__(self) -> str:
        if not self.values:
            return '-'
        return f'{_short(self.median)} ({_short(min(self.values))}-{_short(max(self.values))})'


@dataclass
class Row:
    """A line of the table: what of ours is compared with what floor, and what it must reach."""

    name: str
    unit: str
    floor_name: str
    target: float
    more_is_better: bool = False
    difference: bool = False  # ours minus the floor, instead of ours in relation to it
    absolute: bool = False  # the target is for ours alone; the floor is there to compare
    reference: str = ''
    ours: Series = field(default_factory=Series)
    floor: Series = field(default_factory=Series)
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """Ours to the floor's median (or minus it)."""
        if self.difference:
            return self.ours.median - self.floor.median
        return self.ours.median / self.floor.median

    @property
    def ratios(self) -> list[float]:
        """The same for each round."""
        pairs = zip(self.ours.values, self.floor.values, strict=False)
        return [ours - floor if self.difference else ours / floor for ours, floor in pairs]

    @property
    def reached(self) -> bool:
        """Whether the target is reached."""
        found = self.ours.median if self.absolute else self.ratio
        return found >= self.target if self.more_is_better else found <= self.target

    def cells(self) -> list[str]:
        """What the table shows."""
        sign = '+' if self.difference else ''
        unit = f' {self.unit}' if self.difference else 'x'
        spread = f' ({min(self.ratios):{sign}.2f} to {max(self.ratios):{sign}.2f})' if self.ratios else ''
        limit = f' {self.unit}' if self.absolute else unit
        target = f'{">=" if self.more_is_better else "<="} {self.target:{sign}g}{limit}'
        return [
            self.name,
            f'{self.ours} {self.unit}',
            f'{self.floor} {self.unit}: {self.floor_name}',
            f'{self.ratio:{sign}.2f}{unit}{spread}',
            self.reference or '-',
            f'{target} {"reached" if self.reached else "MISSED"}',
        ]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            'name': self.name,
            'unit': self.unit,
            'floor': self.floor_name,
            'ours': self.ours.values,
            'floor_values': self.floor.values,
            'ours_median': self.ours.median,
            'floor_median': self.floor.median,
            'difference' if self.difference else 'ratio': self.ratio,
            'ratios': self.ratios,
            'reference': self.reference,
            'target': self.target,
            'more_is_better': self.more_is_better,
            'reached': self.reached,
            'notes': self.notes,
        }


# Between them, a page has what a run has printed.
_BEGIN, _END = '<!-- results of a run -->', '<!-- end of the results -->'
HEADINGS = ['what', 'ours', 'floor in the same run', 'ratio', 'the reference', 'must reach']


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]

    def text(cells: list[str]) -> str:
        return '| ' + ' | '.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + ' |'

    rule = '|' + '|'.join('-' * (width + 2) for width in widths) + '|'
    return '\n'.join([text(HEADINGS), rule, *(text(row.cells()) for row in rows)])


def write_into(page: Path, text: str) -> None:
    """Replace the results in a page of the documentation, between its two marks."""
    before, rest = page.read_text().split(_BEGIN)
    _old, after = rest.split(_END)
    page.write_text(f'{before}{_BEGIN}\n\n{text}\n\n{_END}{after}')


def alternate(times: int, calls: int, *acts: Callable[[], Any]) -> list[float]:
    """Do each of the acts in turn, so that noise falls on all; returns the median milliseconds of a call of each."""
    found: list[list[float]] = [[] for _ in acts]
    for _ in range(times):
        for index, act in enumerate(acts):
            begin = time.perf_counter()
            for _ in range(calls):
                act()
            found[index].append((time.perf_counter() - begin) * 1000 / calls)
    return [median(values) for values in found]


def _short(value: float) -> str:
    return f'{value:.0f}' if value >= 100 else f'{value:.1f}' if value >= 10 else f'{value:.2f}'

"""Bar charts, drawn on the server so that they need no script and can be printed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

#: The size of a chart, in units of the drawing.
WIDTH, HEIGHT = 340, 140
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 4, 8, 20


#: Ends of an axis of durations, in seconds: they and their halves are written in one unit.
#: Of numbers of jobs, whose half is a number of jobs as well.
COUNTS = (2, 4, 6, 8, 10)
DURATIONS = (1, 2, 4, 10, 20, 40, 60, 120, 240, 600, 1200, 2400, 3600, 7200, 14_400, 28_800, 43_200, 86_400, 172_800)


@dataclass(frozen=True)
class Series:
    """Numbers of one kind, one for each place on the axis; several series are stacked."""

    label: Any
    color: str
    values: Sequence[float]


@dataclass(frozen=True)
class Bar:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float
    color: str
    tip: str


@dataclass(frozen=True)
class Mark:
    """A text beside an axis."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Chart:
    """A drawn chart, with the same numbers as a table."""

    key: str
    title: Any
    summary: str
    bars: list[Bar]
    lines: list[Mark]
    labels: list[Mark]
    legend: list[Series]
    rows: list[tuple[str, list[str]]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT

    @property
    def right(self) -> int:
        """Where the plot ends."""
        return self.width - _RIGHT

    @property
    def view_box(self) -> str:
        """The size, as SVG has it."""
        return f'0 0 {self.width} {self.height}'

    @property
    def empty(self) -> bool:
        """Whether there are no bars."""
        return not self.bars


def bars(
    key: str,
    title: Any,
    places: Sequence[str],
    series: Sequence[Series],
    text: Callable[[float], str],
    summary: str,
    *,
    steps: Sequence[float] = (),
) -> Chart:
    """Draw stacked bars.

    Args:
        key: The id of this chart on the page.
        title: The title.
        places: The label of each bar; every fourth is drawn.
        series: The numbers, each as long as `places`.
        text: Formats a number.
        summary: The chart in a sentence, for screen readers.
        steps: Ends of the axis to choose from, the least first; beyond them, and without, powers of ten.
    """
    totals = [sum(one.values[place] for one in series) for place in range(len(places))]
    top = _round_up(max(totals, default=0), steps)
    plot = HEIGHT - _TOP - _BOTTOM
    step = (WIDTH - _LEFT - _RIGHT) / max(len(places), 1)
    drawn: list[Bar] = []
    for place, name in enumerate(places):
        y = HEIGHT - _BOTTOM
        for one in series:
            value = one.values[place]
            if value <= 0 or not top:
                continue
            height = max(plot * value / top, 1.0)
            y = round(y - height, 2)  # type: ignore[assignment]
            x = round(_LEFT + place * step + 1, 2)
            drawn.append(
                Bar(x, y, round(step - 2, 2), round(height, 2), one.color, f'{name}: {one.label} {text(value)}')
            )
    lines = [Mark(_LEFT, round(_TOP + plot * (1 - part), 2), text(top * part)) for part in ((0, 0.5, 1) if top else ())]
    labels = [
        Mark(round(_LEFT + (place + 0.5) * step, 2), HEIGHT - 5, name)
        for place, name in enumerate(places)
        if place % 4 == 0
    ]
    rows = [(name, [text(one.values[place]) for one in series]) for place, name in enumerate(places)]
    return Chart(key, title, summary, drawn, lines, labels, list(series), rows)


def _round_up(value: float, steps: Sequence[float]) -> float:
    """Round up to one of the steps, or to 1, 2 or 5 times a power of ten, for an axis that is easy to read."""
    if value <= 0:
        return 0
    if steps and steps[0] / 2 <= value <= steps[-1]:
        return next(step for step in steps if value <= step)
    power = 1.0
    while power * 10 < value:
        power *= 10
    while power > value:
        power /= 10
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= value * 0.999999)

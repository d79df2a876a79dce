"""The command about performance: how much is done and how fast."""

from argparse import Namespace

from ..core import formatting
from ..core.histogram import PERCENTILES
from ..maintenance.tallies import Tally
from ..monitoring import performance
from ..monitoring.performance import Performance
from .exits import SUCCESS
from .screen import Cell, Column, Screen, Table


def show(screen: Screen, options: Namespace) -> int:
    """`jobs performance`."""
    found = performance.take(options.period)
    ranked = found.slowest_queues() if options.queues else found.slowest_runners()
    if options.json:
        screen.json([_document(found, name, tally) for name, tally in ranked])
    else:
        screen.table(_table(found, ranked, 'queue' if options.queues else 'runner'), 'No job ended in this period.')
    return SUCCESS


def _table(found: Performance, ranked: list[tuple[str, Tally]], of: str) -> Table:
    table = Table(
        (
            Column(of, flexible=True),
            Column('jobs', right=True),
            Column('speed', right=True, extra=True),
            Column('errors', right=True),
            *(
                Column(f'wait p{percent}', right=True, extra=percent == 50, spare=int(percent == 99))
                for percent in PERCENTILES
            ),
            *(
                Column(f'run p{percent}', right=True, extra=percent == 50, spare=int(percent == 99))
                for percent in PERCENTILES
            ),
        )
    )
    for name, tally in ranked:
        wrong = formatting.percent(tally.failure_rate) if tally.wrong else '-'
        times = [*tally.waits.percentiles, *tally.runs.percentiles]
        table.rows.append(
            [
                Cell(name or '-', brief=name if of == 'queue' else formatting.class_name(name)),
                Cell(formatting.number(tally.count)),
                Cell(formatting.rate(found.per_second(tally))),
                Cell(wrong, 'errored' if tally.wrong else 'dim'),
                *(Cell(formatting.duration(time) or '-') for _percent, time in times),
            ]
        )
    return table


def _document(found: Performance, name: str, tally: Tally) -> dict[str, object]:
    """The performance of one queue or runner; times in seconds."""
    return {
        'name': name,
        'jobs': tally.count,
        'per_second': found.per_second(tally),
        'errored': tally.errored,
        'failed': tally.failed,
        'canceled': tally.canceled,
        'wait': {f'p{percent}': time and time.total_seconds() for percent, time in tally.waits.percentiles},
        'run': {f'p{percent}': time and time.total_seconds() for percent, time in tally.runs.percentiles},
    }

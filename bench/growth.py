"""How cost grows, as pictures: with the number of workers, measured here; with the rows, as `bench.scale` has found.

`python -m bench.growth`, in the environment of `bench.peers`, which has matplotlib.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use('svg')
import matplotlib.pyplot as plt

from .peers.ground import ground, sample

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / 'bench' / 'results'
PICTURES = ROOT / 'docs' / 'pictures'
TOOLS = {'ours': 'netbox_jobs, forking worker', 'raw_rq': 'RQ alone, forking worker'}
WORKERS = (1, 2, 4)
#: What of `bench.scale` is drawn.
DRAWN = (
    'enqueue',
    'enqueue_once, known',
    'claim',
    'terminate with successor',
    'sweep: redeliver_vanished',
    'retention: 10,000 jobs',
)
_LOOK = {
    'figure.figsize': (6.4, 3.6),
    'font.size': 9,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'grid.alpha': 0.3,
    'svg.fonttype': 'none',  # text stays text
    'svg.hashsalt': 'netbox_jobs',  # the same results, the same file
}


def main() -> int:
    """Measure, unless told not to; then draw what results there are."""
    arguments = _arguments()
    if not arguments.draw_only:
        found = _workers(arguments)
        (RESULTS / 'growth.json').write_text(json.dumps(found, indent=1) + '\n')
    PICTURES.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(_LOOK):
        for name, draw in (('growth', _draw_workers), ('scale', _draw_rows), ('peers', _draw_peers)):
            if (source := RESULTS / f'{name}.json').exists():
                draw(json.loads(source.read_text()))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser('python -m bench.growth', description=__doc__)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--jobs', type=int, default=600)
    parser.add_argument('--seconds', type=float, default=4)
    parser.add_argument('--minutes', type=float, default=4, help='no sample is begun after so many')
    parser.add_argument('--draw-only', action='store_true', help='draw the results that are there')
    return parser.parse_args()


def _workers(arguments: argparse.Namespace) -> dict[str, Any]:
    """Jobs a second of one, two and four workers; the tools take turns."""
    found: dict[str, dict[str, list[float]]] = {tool: {str(count): [] for count in WORKERS} for tool in TOOLS}
    deadline = time.monotonic() + arguments.minutes * 60
    with ground() as place:
        for tool in TOOLS:
            place.migrate(tool)
        for _ in range(arguments.rounds):
            for count in WORKERS:
                for tool in TOOLS:
                    if time.monotonic() < deadline:
                        result = sample(tool, 'noop', arguments.jobs, arguments.seconds, count)
                        found[tool][str(count)].append(result['jobs_per_second'])
                        print(f'{tool}, {count} workers: {result}', file=sys.stderr)
    return found


def _draw_workers(found: dict[str, Any]) -> None:
    figure, axes = plt.subplots()
    for tool, title in TOOLS.items():
        counts = [count for count in WORKERS if found[tool][str(count)]]
        samples = [found[tool][str(count)] for count in counts]
        middle = [statistics.median(values) for values in samples]
        spread = [
            [value - min(values) for value, values in zip(middle, samples, strict=True)],
            [max(values) - value for value, values in zip(middle, samples, strict=True)],
        ]
        axes.errorbar(counts, middle, yerr=spread, marker='o', capsize=3, label=title)
    axes.set(xlabel='worker processes (two cores)', ylabel='no-op jobs per second', xticks=WORKERS)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    _save(figure, 'workers')


def _draw_rows(found: dict[str, Any]) -> None:
    figure, axes = plt.subplots()
    results = found['results']
    sizes = [result['finished'] for result in results]
    for name in DRAWN:
        ratios = [row['ratio'] for result in results for row in result['operations'] if row['name'] == name]
        if len(ratios) == len(sizes):
            axes.plot(range(len(sizes)), ratios, marker='o', label=name)
    axes.axhline(1.3, color='grey', linestyle='--', linewidth=1)
    axes.set_xticks(range(len(sizes)), [f'{size:,}' for size in sizes])
    axes.set(xlabel='finished jobs in the table', ylabel='time, as a multiple of the empty table')
    axes.set_ylim(0, 2)
    axes.legend(frameon=False, ncols=2, fontsize=8)
    _save(figure, 'rows')


def _draw_peers(found: dict[str, Any]) -> None:
    rows = [row for row in found['peers'] if row.get('medians', {}).get('noop')]
    figure, axes = plt.subplots()
    for offset, kind, label in ((0.2, 'noop', 'no-op'), (-0.2, 'lines', '10 log lines')):
        values = [row['medians'][kind]['cpu_ms']['median'] for row in rows]
        bars = axes.barh([len(rows) - n + offset for n in range(len(rows))], values, height=0.38, label=label)
        axes.bar_label(bars, fmt='%.1f', padding=2, fontsize=7)
    axes.set_yticks([len(rows) - n for n in range(len(rows))], [row['title'] for row in rows])
    axes.set_xlabel('CPU of the worker, ms per job')
    axes.legend(frameon=False)
    _save(figure, 'peers')


def _save(figure: Any, name: str) -> None:
    figure.tight_layout()
    figure.savefig(PICTURES / f'bench-{name}.svg', metadata={'Date': None})
    plt.close(figure)


if __name__ == '__main__':
    sys.exit(main())

"""Other task queues for Django beside ours, in one run on this machine: `python -m bench.peers`.

Each round measures every tool once, one at a time, with one worker process; the rounds alternate, so that what else the
machine does falls on all alike. The outcomes of all are rows of the same PostgreSQL, and those that need a broker have
the same Redis.
"""

import argparse
import json
import platform
import statistics
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..series import write_into
from .ground import Ground, ground, sample
from .table import PEERS, Peer, table

RESULTS = Path(__file__).parent.parent / 'results' / 'peers.json'
KINDS = ('noop', 'lines')


def main() -> int:
    """Measure, print, write."""
    arguments = _arguments()
    with ground() as place:
        results = _rounds(place, arguments)
    print(table(results))
    if arguments.docs:
        write_into(arguments.docs, table(results))
    told = {'python': platform.python_version(), 'rounds': arguments.rounds, 'jobs': arguments.jobs, 'peers': results}
    arguments.json.parent.mkdir(exist_ok=True)
    arguments.json.write_text(json.dumps(told, indent=1) + '\n')
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser('python -m bench.peers', description=__doc__)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--jobs', type=int, default=600, help='how many are enqueued for one sample')
    parser.add_argument('--seconds', type=float, default=3, help='how long a worker is watched at most')
    parser.add_argument('--minutes', type=float, default=9, help='no sample is begun after so many')
    parser.add_argument('--quick', action='store_true', help='one round, fewer jobs')
    parser.add_argument('--only', nargs='+', choices=[peer.key for peer in PEERS])
    parser.add_argument('--docs', type=Path, help='a page of the documentation that shows the results')
    parser.add_argument('--json', type=Path, default=RESULTS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.jobs, arguments.seconds = 1, 150, 2
    return arguments


def _rounds(place: Ground, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    peers = [peer for peer in PEERS if not arguments.only or peer.key in arguments.only]
    results = [_begin(place, peer) for peer in peers]
    deadline = time.monotonic() + arguments.minutes * 60
    for number in range(arguments.rounds):
        for result in reversed(results) if number % 2 else results:
            for kind in KINDS:
                if 'missing' in result or time.monotonic() > deadline:
                    continue
                try:
                    found = sample(result['key'], kind, arguments.jobs, arguments.seconds)
                except RuntimeError as error:
                    result['missing'] = str(error)
                    print(f'{result["key"]}: {error}', file=sys.stderr)
                    continue
                result['samples'][kind].append(found)
                print(f'{number + 1} {result["key"]} {kind}: {found}', file=sys.stderr)
    for result in results:
        result['medians'] = {kind: _medians(samples) for kind, samples in result['samples'].items()}
    return results


def _begin(place: Ground, peer: Peer) -> dict[str, Any]:
    """The row of one tool; it says why if it cannot be measured."""
    row: dict[str, Any] = {'key': peer.key, 'title': peer.title, 'samples': {kind: [] for kind in KINDS}}
    try:
        row['versions'] = {name: version(name) for name in peer.packages}
    except PackageNotFoundError as error:
        return {**row, 'missing': f'{error.name} is not installed'}
    try:
        place.migrate(peer.key)
    except RuntimeError as error:
        row['missing'] = f'its tables could not be made: {error}'
    return row


def _medians(samples: list[dict[str, float]]) -> dict[str, Any]:
    return {
        name: {
            'median': round(statistics.median(values), 3),
            'range': [round(min(values), 3), round(max(values), 3)],
        }
        for name in (samples[0] if samples else ())
        if (values := [sample_[name] for sample_ in samples])
    }


if __name__ == '__main__':
    sys.exit(main())

"""`python -m tests.simulation --seconds 3600`: stories with new seeds, until the time is over or one breaks a promise.

It uses the database of `TEST_DATABASE_URL` (SQLite or PostgreSQL; SQLite in a temporary folder if it is not set).
"""

import argparse
import os
import random
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float, default=3600)
    parser.add_argument('--stories', type=int, default=500, help='of each seed')
    parser.add_argument('--seed', type=int, help='the only one to tell')
    options = parser.parse_args()
    over = time.monotonic() + options.seconds
    while True:
        seed = options.seed or random.randrange(2**31)
        done = subprocess.run(
            [
                *(sys.executable, '-m', 'pytest', '-q', '-s', '-p', 'no:cacheprovider', '-o', 'timeout=0'),
                *('tests/simulation', '-k', 'promise'),
            ],
            cwd=ROOT,
            env={
                **os.environ, 'SIMULATION_SEED': str(seed), 'SIMULATION_STORIES': str(options.stories),
                'SIMULATION_SHRINK': '1', 'DJANGO_SETTINGS_MODULE': 'tests.settings',
            },
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        told = [line for line in done.stdout.splitlines() if line.startswith('seed ')]
        print('\n'.join(told) if not done.returncode else done.stdout, flush=True)
        if done.returncode:
            return 1
        if options.seed or time.monotonic() > over:
            return 0


if __name__ == '__main__':
    sys.exit(main())

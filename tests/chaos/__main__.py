"""`python -m tests.chaos --jobs 10000 --faults 200 --seed 1`: the long run; exits with 1 if a count is off."""

import argparse
import os
import sys
import tempfile
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--jobs', type=int, default=1000)
    parser.add_argument('--faults', type=int, default=60)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--workers', type=int, default=4)
    parser.add_argument('--fast', action='store_true', help='only fast workers, and batches of short jobs')
    parser.add_argument('--patience', type=float, default=300, help='seconds in which all must have ended')
    parser.add_argument('--database', default='postgres://postgres@127.0.0.1/netbox_jobs_chaos')
    options = parser.parse_args()
    os.environ['TEST_DATABASE_URL'] = options.database
    os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'

    import django

    django.setup()
    from django.db import connection

    from .engine import Chaos

    name = connection.settings_dict['NAME']
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    wrong = False
    try:
        with tempfile.TemporaryDirectory(prefix='netbox-jobs-chaos-') as folder:
            report = Chaos(
                seed=options.seed, jobs=options.jobs, strikes=options.faults, workers=options.workers,
                folder=Path(folder), patience=options.patience, fast=options.fast,
            ).run()  # fmt: skip
        wrong = bool(report.violations)
    finally:
        if not wrong:
            connection.creation.destroy_test_db(name, verbosity=0)
    print(report)
    if wrong:
        print(f'The rows are left in the database {connection.settings_dict["NAME"]}, for a look.')
    return int(wrong)


if __name__ == '__main__':
    sys.exit(main())

"""`python -m tests.faults [case ...]`: strike each fault once, at servers of its own; exits with 1 if a count is off.

It needs the programs of PostgreSQL, MariaDB and Redis, `setpriv` if it runs as root, libfaketime for the clocks, and
the right to mount a file system for the full disk. A case whose program is missing is reported as such.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.processes import ROOT

from .cases import CASES

_COLUMNS = ('fault', 'jobs', 'refused', 'lost', 'twice', 'chains broken', 'errored', 'running then', 'recovered in')


def main() -> int:
    """Run the cases one after the other, and print the table of the documentation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('cases', nargs='*', choices=[[], *CASES], help='all, if none is named')
    parser.add_argument('--keep', help='a folder that keeps the logs')
    options = parser.parse_args()
    wrong = False
    print('| ' + ' | '.join(_COLUMNS) + ' |\n' + '|---' * len(_COLUMNS) + '|', flush=True)
    for name in options.cases or CASES:
        with tempfile.TemporaryDirectory(prefix='netbox-jobs-faults-', dir=options.keep) as folder:
            found = _run(name, folder)
            print(_row(name, found), flush=True)
            off = found is None or any(found[what] for what in ('lost', 'twice', 'chains', 'violations'))
            if off:
                print(f'{name}: {found or Path(folder, "case.log").read_text()[-3000:]}', file=sys.stderr)
            elif found and found['errors']:
                print(f'{name}: {found["errors"]}', file=sys.stderr)
            wrong = wrong or off
    return int(wrong)


def _run(name: str, folder: str) -> dict[str, Any] | None:
    with Path(folder, 'case.log').open('w') as log:
        done = subprocess.run(
            [sys.executable, '-m', 'tests.faults.one', name, folder], cwd=ROOT, stdout=subprocess.PIPE, stderr=log,
            text=True, timeout=900, check=False,
        )  # fmt: skip
    found: dict[str, Any] | None = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None
    return found


def _row(name: str, found: dict[str, Any] | None) -> str:
    if found is None:
        return f'| {CASES[name].what} | could not be run |' + ' |' * (len(_COLUMNS) - 2)
    lost = str(len(found['lost'])) + (f' (the database: {found["gone"]})' if found['gone'] else '')
    cells = (
        CASES[name].what, f'{found["jobs"]:,}', found['refused'], lost, len(found['twice']), len(found['chains']),
        found['errored'], found['struck'], f'{found["recovered"]:.1f} s',
    )  # fmt: skip
    return '| ' + ' | '.join(map(str, cells)) + ' |'


if __name__ == '__main__':
    sys.exit(main())

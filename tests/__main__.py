"""`python -m tests [pytest arguments]`: the whole suite, in passes that run side by side.

- SQLite, with an embedded Valkey: all tests but those in a browser.
- PostgreSQL and MariaDB, with a real Redis, if they answer at their usual local ports, or where `TEST_POSTGRES_URL`,
  `TEST_MARIADB_URL` and `TEST_REDIS_URL` say: the same tests without those marked `once`. PgBouncer is put before
  PostgreSQL if it is installed.
- Pages: the tests marked `browser`, in Chromium if it is installed, on PostgreSQL if it answers.

`once` marks what is the same whatever the database is, and was repeated: tests that ask for no database, terminals and
pipes around the commands (their output is tested in every pass), counts of Redis commands, and projects with a database
of their own.

Each pass but Pages is divided among `TEST_PROCESSES` processes (2). Each has a database of its own, and one of Redis,
from that of the URL on; the tests empty them, and refuse those that hold other keys than RQ's. `TEST_VOLUME` (10,000)
is the number of jobs that two workers share on PostgreSQL. With `REQUIRE_SERVICES=1`, a missing service is a failure.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from .lifetime import tied
from .processes import RedisProcess
from .servers import compile_once, plain, redis_after, refused

ROOT = Path(__file__).parent.parent
SERVERS = {
    'PostgreSQL': ('TEST_POSTGRES_URL', 'postgres://postgres@127.0.0.1:5432/netbox_jobs'),
    'MariaDB': ('TEST_MARIADB_URL', 'mysql://root@127.0.0.1:3306/netbox_jobs'),
    'Redis': ('TEST_REDIS_URL', 'redis://127.0.0.1:6379/9'),
}
#: Into how many processes a pass is divided.
PROCESSES = int(os.environ.get('TEST_PROCESSES', '2'))


def main() -> int:
    """Run all passes; returns the exit code."""
    urls = {name: os.environ.get(variable, default) for name, (variable, default) in SERVERS.items()}
    present = {name: url for name, url in urls.items() if _answers(url)}
    missing = urls.keys() - present.keys()
    for name, url in sorted(urls.items()):
        variable = SERVERS[name][0]
        print(f'{name:<11} {"used" if name in present else f"does not answer ({variable})"}: {plain(url)}')
    print('SQLite      used, with an embedded Valkey' + ('' if 'Redis' in present else ' and the others'), flush=True)
    if 'PostgreSQL' in present:
        print(f'PgBouncer   {"used, before PostgreSQL" if shutil.which("pgbouncer") else "not installed"}', flush=True)
    browses = bool(shutil.which('chromium')) or os.environ.get('REQUIRE_SERVICES') == '1'
    print(
        f'Chromium    {"used" if browses else "not installed: no page is opened"}',
        flush=True,
    )
    if missing and os.environ.get('REQUIRE_SERVICES') == '1':
        print(f'REQUIRE_SERVICES=1, but {", ".join(sorted(missing))} cannot be reached.')
        return 1
    if 'Redis' in present and (refusal := refused(present['Redis'], 2 * PROCESSES)):
        print(refusal)
        return 1
    print('The passes run side by side; what they say comes at the end.', flush=True)
    counts = {'passed': 0, 'failed': 0, 'skipped': 0}
    failed = False
    embedded = RedisProcess()
    with tempfile.TemporaryDirectory(prefix='netbox-jobs-tests-') as folder:
        compile_once(folder)
        # Name, database, Redis, number of processes, marks of the tests.
        passes = [('SQLite', f'sqlite:///{folder}/test.sqlite3', embedded.url, PROCESSES, 'not browser')]
        servers = [name for name in ('PostgreSQL', 'MariaDB') if name in present]
        for number, name in enumerate(servers):
            redis = present.get('Redis', redis_after(embedded.url, PROCESSES + 1))
            redis = redis_after(redis, number * PROCESSES)
            passes.append((name, present[name], redis, PROCESSES, 'not browser and not once'))
        if browses:
            # A process of their own: Playwright keeps a loop of asyncio in its thread, which other tests meet.
            database = (
                f'{present["PostgreSQL"]}_pages' if 'PostgreSQL' in present else f'sqlite:///{folder}/pages.sqlite3'
            )
            passes.append(('Pages', database, redis_after(embedded.url, PROCESSES), 1, 'browser'))
        # Side by side: they wait more than they work.
        running = [(name, *_start(name, *how, folder)) for name, *how in passes]
        for name, process, log in running:
            failed = process.wait() not in (0, pytest.ExitCode.NO_TESTS_COLLECTED) or failed
            output = log.read_text(errors='replace')
            print(f'\n=== {name} ===\n{output}', flush=True)
            for word, number in _closing_counts(output).items():
                counts[word] += number
    embedded.kill()
    print(f'\n{counts["passed"]} passed, {counts["failed"]} failed, {counts["skipped"]} skipped')
    return 1 if failed or not counts['passed'] else 0


def _start(
    name: str, database: str, redis: str, processes: int, marks: str, folder: str
) -> tuple[subprocess.Popen[bytes], Path]:
    """Start pytest on a database; returns the process, and the file of its output."""
    log = Path(folder) / f'{name}.log'
    with log.open('wb') as output:
        process = subprocess.Popen(
            tied(
                [
                    *(sys.executable, '-m', 'pytest', '-p', 'no:cacheprovider', '-q', '-n', str(processes)),
                    *('--dist', 'worksteal', '-m', marks, *sys.argv[1:]),
                ]
            ),
            cwd=ROOT,
            env={
                **os.environ,
                'TEST_DATABASE_URL': database,
                'TEST_REDIS_URL': redis,
                'DJANGO_SETTINGS_MODULE': 'tests.settings',
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return process, log


def _closing_counts(output: str) -> dict[str, int]:
    """What pytest's closing line counts; errors are failures."""
    closing = [line for line in output.splitlines() if re.search(r'\d+ (passed|failed|error|skipped).* in ', line)]
    found = {word: int(number) for number, word in re.findall(r'(\d+) (\w+)', closing[-1] if closing else '')}
    return {
        'passed': found.get('passed', 0),
        'failed': found.get('failed', 0) + found.get('error', 0) + found.get('errors', 0),
        'skipped': found.get('skipped', 0),
    }


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    ports = {'postgres': 5432, 'postgresql': 5432, 'mysql': 3306, 'mariadb': 3306, 'redis': 6379}
    try:
        with socket.create_connection((parts.hostname or '127.0.0.1', parts.port or ports[parts.scheme]), timeout=2):
            return True
    except OSError:
        return False


if __name__ == '__main__':
    sys.exit(main())

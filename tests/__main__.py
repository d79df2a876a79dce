"""`python -m tests [pytest arguments]`: the whole suite, once for each database that answers.

SQLite with an embedded Valkey always; PostgreSQL and MariaDB, with a real Redis, whenever they answer at their usual
local ports, or where `TEST_POSTGRES_URL`, `TEST_MARIADB_URL` and `TEST_REDIS_URL` say. With `REQUIRE_SERVICES=1` a
missing one is a failure. PgBouncer is put before PostgreSQL where it is installed. The pages are opened in Chromium, in
one of the passes, where that is installed; with `REQUIRE_SERVICES=1` it must be. Each pass is divided among
`TEST_PROCESSES` processes (2), with a database each, and with one of Redis each: those after the one of the URL. They
are emptied before each test; one that holds anything but keys of RQ's is left alone, and nothing is run.
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

from .lifetime import tied
from .processes import RedisProcess
from .servers import plain, redis_after, refused

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
        f'Chromium    {"used, in the first pass on a server" if browses else "not installed: no page is opened"}',
        flush=True,
    )
    if missing and os.environ.get('REQUIRE_SERVICES') == '1':
        print(f'REQUIRE_SERVICES=1, but {", ".join(sorted(missing))} cannot be reached.')
        return 1
    if 'Redis' in present and (refusal := refused(present['Redis'], 1 + 2 * PROCESSES)):
        print(refusal)
        return 1
    print('This takes some ten minutes; what it says comes at the end.', flush=True)
    counts = {'passed': 0, 'failed': 0, 'skipped': 0}
    failed = False
    embedded = RedisProcess()
    with tempfile.TemporaryDirectory(prefix='netbox-jobs-tests-') as folder:
        passes = [('SQLite', f'sqlite:///{folder}/test.sqlite3', embedded.url)]
        servers = [name for name in ('PostgreSQL', 'MariaDB') if name in present]
        for number, name in enumerate(servers):
            redis = redis_after(present.get('Redis', embedded.url), 1 + number * PROCESSES)
            passes.append((name, present[name], redis))
        # Side by side: they wait more than they work.
        running = []
        for number, (name, database, redis) in enumerate(passes):
            left_out = ['once'] if number else []
            # What is looked at in a browser is the same whatever the database is, and takes long.
            if not browses or number != min(1, len(passes) - 1):
                left_out.append('browser')
            options = ['-m', ' and '.join(f'not {mark}' for mark in left_out)] if left_out else []
            running.append((name, *_start(name, database, redis, folder, options)))
        for name, process, log in running:
            code = process.wait()
            output = log.read_text(errors='replace')
            print(f'\n=== {name} ===\n{output}', flush=True)
            for word, number in _closing_counts(output).items():
                counts[word] += number
            failed = failed or code != 0
    embedded.kill()
    print(f'\n{counts["passed"]} passed, {counts["failed"]} failed, {counts["skipped"]} skipped')
    return 1 if failed else 0


def _start(
    name: str, database: str, redis: str, folder: str, options: list[str]
) -> tuple[subprocess.Popen[bytes], Path]:
    """Start pytest on a database; returns the process, and the file of its output."""
    log = Path(folder) / f'{name}.log'
    with log.open('wb') as output:
        process = subprocess.Popen(
            tied(
                [
                    *(sys.executable, '-m', 'pytest', '-p', 'no:cacheprovider', '-q', '-n', str(PROCESSES)),
                    *('--dist', 'worksteal', *options, *sys.argv[1:]),
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

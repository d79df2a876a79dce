"""`python -m tests [pytest arguments]`: the whole suite, in passes that run side by side.

- SQLite, with an embedded Valkey: all tests but those in a browser.
- PostgreSQL and MariaDB, with a real Redis, if they answer at their usual local ports, or where `TEST_POSTGRES_URL`,
  `TEST_MARIADB_URL` and `TEST_REDIS_URL` say: the same tests without those marked `once`. PgBouncer is put before
  PostgreSQL if it is installed.
- Pages: the tests marked `browser`, in Chromium if it is installed, on PostgreSQL if it answers.

`once` marks what is the same whatever the database is: tests that ask for no database, pages and terminals as text,
calls that are refused before a statement is sent, what RQ and Redis have of a job, starts, signals and time limits of
processes, middleware, what hides secrets, the adapters of other packages, the example plugin, and projects with a
database of their own. Repeated is what the database can change: SQL and how many statements there are, locks,
transactions, constraints, what is stored, and what a process leaves in it that dies. CONTRIBUTING.md says how to
choose.

Each pass but Pages is divided among `TEST_PROCESSES` processes (3), that on SQLite among half as many more: they wait
more than they work. Each has a database of its own, and one of Redis, from that of the URL on; the tests empty them,
and refuse those that hold other keys than RQ's. `TEST_VOLUME` (2,000) is the number of jobs that two workers share on
PostgreSQL. With `REQUIRE_SERVICES=1`, a missing service is a failure. `TEST_STEPS` is the number of steps that the
simulation takes at least, on SQLite and PostgreSQL together; fewer are a failure. What it took stands in the last
lines.

The tests start some thousand processes on a machine that is busy with all passes at once. So a pass in which at most
`TEST_UNSTABLE` tests (2) failed runs these once more at the end, alone: one that fails again has failed; one that
passes then is named as unstable in the last line, with its first output above. Set `TEST_UNSTABLE=0` to accept none.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from .lifetime import tied
from .processes import RedisProcess
from .servers import compile_all, compile_once, plain, redis_after, refused

ROOT = Path(__file__).parent.parent
SERVERS = {
    'PostgreSQL': ('TEST_POSTGRES_URL', 'postgres://postgres@127.0.0.1:5432/netbox_jobs'),
    'MariaDB': ('TEST_MARIADB_URL', 'mysql://root@127.0.0.1:3306/netbox_jobs'),
    'Redis': ('TEST_REDIS_URL', 'redis://127.0.0.1:6379/9'),
}
#: Into how many processes a pass is divided.
PROCESSES = int(os.environ.get('TEST_PROCESSES', '3'))
#: The same for SQLite, which has the tests that run once, too.
MORE = PROCESSES + PROCESSES // 2
#: How many steps the simulation is to take at least; 0: as many as its tests say.
STEPS = int(os.environ.get('TEST_STEPS', '0'))
#: How many failed tests of a pass are run once more.
UNSTABLE = int(os.environ.get('TEST_UNSTABLE', '2'))


@dataclass(frozen=True)
class Pass:
    """The tests with some marks on one database, divided among some processes."""

    name: str
    database: str
    redis: str
    processes: int
    marks: str
    folder: str
    #: How many of the steps of the simulation it is asked for.
    steps: int = 0

    @property
    def log(self) -> Path:
        """The file of its output."""
        return Path(self.folder) / f'{self.name}.log'

    @property
    def failures(self) -> Path:
        """The file that names the tests that failed."""
        return Path(self.folder) / f'{self.name}.failures'

    @property
    def count(self) -> Path:
        """The file that counts the steps of the simulation."""
        return Path(self.folder) / f'{self.name}.steps'

    def start(self, *chosen: str) -> subprocess.Popen[bytes]:
        """Start it; `chosen` are the tests that are run alone."""
        self.failures.unlink(missing_ok=True)
        processes = 0 if chosen else self.processes
        slowest = ('--durations', '25', '--durations-min', '5')
        arguments = chosen or ('--dist', 'worksteal', '-m', self.marks, *slowest, *sys.argv[1:])
        with self.log.open('wb') as output:
            return subprocess.Popen(
                tied(
                    [
                        sys.executable,
                        *('-m', 'pytest', '-p', 'no:cacheprovider', '-q', '-n', str(processes)),
                        *arguments,
                    ]
                ),
                cwd=ROOT,
                env={
                    **os.environ,
                    'TEST_DATABASE_URL': self.database,
                    'TEST_REDIS_URL': self.redis,
                    'TEST_FAILURES': str(self.failures),
                    'SIMULATION_STEPS': str(self.steps),
                    'SIMULATION_COUNT': str(self.count),
                    'DJANGO_SETTINGS_MODULE': 'tests.settings',
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def taken(self) -> int:
        """How many steps the simulation has taken."""
        return sum(map(int, self.count.read_text().split())) if self.count.exists() else 0

    def failed(self) -> list[str]:
        """The tests that failed."""
        return sorted(set(self.failures.read_text().splitlines())) if self.failures.exists() else []


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
    embedded = RedisProcess()
    with tempfile.TemporaryDirectory(prefix='netbox-jobs-tests-') as folder:
        if compile_once(folder) and not sys.argv[1:]:
            compile_all(embedded.url)
        of_postgres = STEPS // 10 if 'PostgreSQL' in present else 0  # where a step costs more
        own = STEPS - of_postgres
        passes = [Pass('SQLite', f'sqlite:///{folder}/test.sqlite3', embedded.url, MORE, 'not browser', folder, own)]
        servers = [name for name in ('PostgreSQL', 'MariaDB') if name in present]
        for number, name in enumerate(servers):
            redis = present.get('Redis', redis_after(embedded.url, MORE + 1))
            redis = redis_after(redis, number * PROCESSES)
            steps = of_postgres if name == 'PostgreSQL' else 0
            passes.append(Pass(name, present[name], redis, PROCESSES, 'not browser and not once', folder, steps))
        if browses:
            # A process of their own: Playwright keeps a loop of asyncio in its thread, which other tests meet.
            database = (
                f'{present["PostgreSQL"]}_pages' if 'PostgreSQL' in present else f'sqlite:///{folder}/pages.sqlite3'
            )
            passes.append(Pass('Pages', database, redis_after(embedded.url, MORE), 1, 'browser', folder))
        try:
            return _run(passes)
        finally:
            embedded.kill()


def _run(passes: list[Pass]) -> int:
    """Run the passes side by side, as they wait more than they work; then what failed once more, and count."""
    counts = {'passed': 0, 'failed': 0, 'skipped': 0}
    failed, again = False, []
    for one, process in [(one, one.start()) for one in passes]:
        code = process.wait()
        output = one.log.read_text(errors='replace')
        print(f'\n=== {one.name} ===\n{output}', flush=True)
        for word, number in _closing_counts(output).items():
            counts[word] += number
        if code == pytest.ExitCode.TESTS_FAILED and 0 < len(one.failed()) <= UNSTABLE:
            again.append((one, one.failed()))
        else:
            failed = failed or code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    unstable = []
    for one, tests in again:
        if one.start(*tests).wait() == pytest.ExitCode.OK:
            unstable += [f'{one.name}: {test}' for test in tests]
            counts['failed'] -= len(tests)
            counts['passed'] += len(tests)
        else:
            failed = True
        print(f'\n=== {one.name}, what failed once more ===\n{one.log.read_text(errors="replace")}', flush=True)
    print(f'\n{counts["passed"]} passed, {counts["failed"]} failed, {counts["skipped"]} skipped')
    failed = too_few_steps({one.name: one.taken() for one in passes}) or failed
    for test in unstable:
        print(f'Unstable, passed when run alone: {test}')
    return 1 if failed or not counts['passed'] else 0


def too_few_steps(taken: dict[str, int], asked: int = STEPS) -> bool:
    """Print how many steps the simulation has taken; return whether these are fewer than was asked for."""
    total = sum(taken.values())
    if total or asked:
        each = ', '.join(f'{steps:,} on {name}' for name, steps in taken.items() if steps)
        print(f'Simulation: {total:,} steps{f" ({each})" if each else ""}{f", {asked:,} asked for" if asked else ""}')
    return total < asked


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

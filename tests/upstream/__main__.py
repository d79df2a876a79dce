"""`python -m tests.upstream`: the tests that Django has for its tasks, run against our backend, on SQLite.

On a Django without tasks, they are those of Django 6.0, and run with the package django-tasks, which publishes none: it
has the same code under other names. There, the tests of django-tasks-rq are run, too, which have a worker.

pip downloads the sources, which hold the tests; `--sources FOLDER` names a folder in which they lie unpacked. In a
temporary copy, the tests get our backend in place of each that they name, the database that it needs, our `run_jobs()`
as the worker, and the names of the package. Those in `LEFT_OUT` must fail, all others must pass.
"""

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import TestCase, TestSuite

import django
from django.test.runner import DiscoverRunner

#: Whose tests are run on a Django that has no tasks: the package is nearest to these.
NEAREST = '6.0.*'
ON_PACKAGE = django.VERSION < (6, 0)
ADAPTED = [
    (r'\bSimpleTestCase\b', 'TestCase'),
    (r'django\.tasks\.backends\.(dummy|immediate)\b', 'tests.upstream.backends'),
    (r'available_apps = \[\]', 'available_apps = None'),
]
if ON_PACKAGE:  # what it calls otherwise
    ADAPTED += [
        (r'django\.tasks\b', 'django_tasks'),
        (r'\bInvalidTask\b', 'InvalidTaskError'),
        (r'\bInvalidTaskBackend\b', 'InvalidTaskBackendError'),
        (r'support async Tasks', 'support async tasks'),
    ]
ADAPTED_RQ = [
    (r'(?s)    def setUp\(self\).*?(?=    def test_)', '    from tests.upstream.backends import run_worker\n\n'),
    (r'\bSimpleTestCase\b', 'TestCase'),
    (r'from tests import tasks', 'from . import tasks'),
    (r'This task failed due', 'This Task failed due'),
    (r'from django_tasks_rq.* import (compat|Job, RQBackend)\n', ''),
    (r'from unittest.mock', 'from tests.upstream.backends import NetBoxJobsBackend as RQBackend\nfrom unittest.mock'),
    (r'"django_tasks_rq\.RQBackend"', '"netbox_jobs.contrib.django_tasks.NetBoxJobsBackend"'),
]
#: The tests that check what our backend does otherwise; docs/how-to/django-tasks.md says what.
LEFT_OUT = {
    'ImmediateBackendTestCase': [
        'test_cannot_get_result',
        'test_cannot_refresh_result',
        'test_cannot_pass_run_after',
        'test_throws_keyboard_interrupt',
    ],
    'DummyBackendTestCase': ['test_refresh_result', 'test_refresh_result_async'],
    'TaskTestCase': ['test_refresh_result'],
}
if ON_PACKAGE:
    LEFT_OUT['CompatTestCase'] = ['test_compat_has_django_task']
    LEFT_OUT['RQBackendTestCase'] = [
        'test_complex_return_value',
        'test_exception_classes_pop_empty_list_bug',
        'test_invalid_task_path',
        'test_queue_isolation',
        'test_rq_app_missing',
        'test_unknown_queue_name',
        'test_uses_rq_queues_for_queue_names',
    ]
if sys.version_info < (3, 12):  # the message is Python's
    LEFT_OUT['CustomBackendTestCase'] = ['test_no_enqueue']


def download(requirement: str, folder: Path) -> None:
    """Download the source of a package, and unpack its tests."""
    options = ['--no-deps', '--no-binary', ':all:', '--ignore-requires-python', '--disable-pip-version-check']
    pip = [sys.executable, '-m', 'pip', 'download', '--quiet', *options, '--dest', str(folder), requirement]
    subprocess.run(pip, check=True)
    for archive in folder.glob('*.tar.gz'):
        with tarfile.open(archive) as source:
            source.extractall(folder, [one for one in source if '/tests/t' in one.name], filter='data')
        archive.unlink()


def adapt(sources: Path, folder: Path) -> None:
    """Write the tests into a package `tasks` in this folder, adapted."""
    package = folder / 'tasks'
    package.mkdir()
    found = [(path, path.name, ADAPTED) for path in sources.glob('*/tests/tasks/*.py')]
    if ON_PACKAGE:
        found += [(path, 'test_rq.py', ADAPTED_RQ) for path in sources.glob('django_tasks_rq-*/tests/tests.py')]
    for path, name, changes in found:
        text = path.read_text()
        for pattern, replacement in changes:
            text = re.sub(pattern, replacement, text)
        (package / name).write_text(text)


def each(suite: TestSuite) -> Iterator[TestCase]:
    """Yield the tests of a suite."""
    for one in suite:
        yield from each(one) if isinstance(one, TestSuite) else [one]


class Runner(DiscoverRunner):
    """Django's runner, which expects the tests of `LEFT_OUT` to fail."""

    def build_suite(self, *args: Any, **kwargs: Any) -> TestSuite:
        suite = super().build_suite(*args, **kwargs)
        left = {f'{case}.{name}' for case, names in LEFT_OUT.items() for name in names}
        for test in each(suite):
            name = '.'.join(test.id().split('.')[-2:])
            if name in left:
                left.remove(name)
                test.__unittest_expecting_failure__ = True
        if left:
            raise SystemExit(f'There are no such tests any more: {", ".join(sorted(left))}.')
        return suite


def main() -> int:
    """Run them and return the exit code."""
    parser = argparse.ArgumentParser(prog='python -m tests.upstream', description=__doc__.splitlines()[0])
    parser.add_argument(
        '--sources', type=Path, help='a folder with the unpacked sources, which pip downloads otherwise'
    )
    sources = parser.parse_args().sources
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if sources is None:
            sources = folder / 'sources'
            sources.mkdir()
            download(f'Django=={NEAREST if ON_PACKAGE else django.__version__}', sources)
            if ON_PACKAGE:
                download(f'django-tasks-rq=={version("django-tasks")}', sources)
        adapt(sources, folder)
        sys.path.insert(0, name)
        os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.upstream.settings'
        django.setup()
        print(
            ', '.join(sorted(path.name for path in sources.iterdir() if path.is_dir())), 'on Django', django.__version__
        )
        return int(bool(Runner(verbosity=1, interactive=False).run_tests(['tasks'])))


if __name__ == '__main__':
    raise SystemExit(main())

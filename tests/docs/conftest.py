"""A reader at a terminal, and the project that the tutorial leaves behind."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings

from tests.lifetime import tied

from .blocks import ROOT, TUTORIAL, blocks

REDIS_OF_DOCS = 'redis://127.0.0.1:6379/0'


class Reader:
    """Types what a page says, in a folder of its own."""

    def __init__(self, folder: Path, packages: Path) -> None:
        """Args:
        folder: Where the reader is.
        packages: Where netbox_jobs is imported from.
        """
        self.folder = folder
        environment = {key: value for key, value in os.environ.items() if not key.startswith(('DJANGO_', 'TEST_'))}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
        self.environment = {**environment, 'PATH': path, 'PYTHONPATH': str(packages), 'PYTHONUNBUFFERED': '1'}

    def types(self, line: str, stdin: str = '') -> str:
        """Run a line and return its output; `cd` stays in effect."""
        words = shlex.split(line)
        if words[0] == 'cd':
            self.folder = self.folder / words[1]
            return ''
        done = subprocess.run(
            words, cwd=self.folder, env=self.environment, input=stdin, capture_output=True, text=True, timeout=280
        )
        assert done.returncode == 0, f'{line}\n{done.stdout}{done.stderr}'
        return done.stdout + done.stderr

    def types_until(self, line: str, word: str) -> str:
        """Run a line again until its output has the word, as the reader does who was faster than the worker."""
        deadline = time.monotonic() + 60
        while word not in (said := self.types(line)):
            assert time.monotonic() < deadline, f'{line}: no {word!r} in\n{said}'
        return said

    def starts(self, line: str, log: Path) -> 'subprocess.Popen[bytes]':
        """Start a command that runs until it is stopped."""
        with log.open('wb') as output:
            return subprocess.Popen(
                tied(shlex.split(line)), cwd=self.folder, env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )

    def writes(self, name: str, text: str, mode: str = 'w') -> None:
        """Write a file of the project, with the Redis of the test in place of the page's, and shorter pauses."""
        text = text.replace('time.sleep(0.5)', 'time.sleep(0.05)')
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open(mode) as file:
            file.write(text.replace(REDIS_OF_DOCS, settings.RQ_QUEUES['default']['URL']))


@pytest.fixture(scope='session')
def finished_tutorial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as the tutorial leaves it, with its tables."""
    reader = Reader(tmp_path_factory.mktemp('tutorial'), ROOT)
    for line in ('django-admin startproject mysite', 'cd mysite', 'python manage.py startapp shop'):
        reader.types(line)
    for page in TUTORIAL:
        for each in blocks(page):
            if '/' in each.name:
                reader.writes(each.name, each.text, 'a' if each.name.endswith('settings.py') else 'w')
    for line in ('python manage.py makemigrations shop', 'python manage.py migrate'):
        reader.types(line)
    return reader.folder


@pytest.fixture
def reader(finished_tutorial: Path, tmp_path: Path) -> Reader:
    """One who has finished the tutorial."""
    return Reader(Path(shutil.copytree(finished_tutorial, tmp_path / 'mysite')), ROOT)

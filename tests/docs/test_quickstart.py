"""A newcomer who has nothing but the documentation gets what it says."""

import builtins
import inspect
import os
import re
import shlex
import subprocess
import sys
import textwrap
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock

import pytest
from django.conf import settings
from django.core import exceptions as django_exceptions
from django.core.management import get_commands
from django.utils import timezone

from netbox_jobs import exceptions
from netbox_jobs.core import options
from netbox_jobs.jobs import system_job
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Plain
from tests.app.models import Thing
from tests.lifetime import tied

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / 'README.md').read_text()
DEPLOYMENT = (ROOT / 'docs' / 'deployment.md').read_text()
COMPOSE = (ROOT / 'docker-compose.yml').read_text()
REDIS_OF_README = 'redis://127.0.0.1:6379/0'

# What the newcomer does between typing two blocks: look at the worker's terminal until the job has run.
AWAIT = """
import time

deadline = time.monotonic() + 30
while not job.ended and time.monotonic() < deadline:
    time.sleep(0.05)
    job.refresh_from_db()
"""
CALL_THE_VIEW = """
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory
from shop.views import greet

request = RequestFactory().post('/', {'whom': 'you'})
request.user = AnonymousUser()
print(greet(request).content.decode())
"""


def block(info: str) -> str:
    """The one fenced block of the README with this after its fence."""
    found = re.findall(rf'^```{re.escape(info)}\n(.*?)^```', README, re.DOTALL | re.MULTILINE)
    assert len(found) == 1, f'{len(found)} blocks {info!r} in the README'
    return found[0]


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading of the README."""
    section = README.split(f'\n{heading}\n')[1]
    table = re.search(r'^\|.*?(?=^[^|])', section, re.DOTALL | re.MULTILINE)
    assert table, f'no table below {heading}'
    return [[cell.strip() for cell in line.strip('|\n').split(' | ')] for line in table.group().splitlines()[2:]]


class Newcomer:
    """Somebody at a terminal, with the wheel installed, who types what the README says."""

    def __init__(self, folder: Path, site_packages: Path) -> None:
        self.folder = folder
        environment = {key: value for key, value in os.environ.items() if not key.startswith(('DJANGO_', 'TEST_'))}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
        self.environment = {**environment, 'PATH': path, 'PYTHONPATH': str(site_packages), 'PYTHONUNBUFFERED': '1'}

    def types(self, line: str, stdin: str = '') -> str:
        """Run a line and return its output; `cd` stays in effect."""
        words = shlex.split(line)
        if words[0] == 'cd':
            self.folder = self.folder / words[1]
            return ''
        done = subprocess.run(
            words, cwd=self.folder, env=self.environment, input=stdin, capture_output=True, text=True, timeout=100
        )
        assert done.returncode == 0, f'{line}\n{done.stdout}{done.stderr}'
        return done.stdout + done.stderr

    def starts(self, line: str, log: Path) -> 'subprocess.Popen[bytes]':
        """Start what runs until it is stopped."""
        with log.open('wb') as output:
            return subprocess.Popen(
                tied(shlex.split(line)), cwd=self.folder, env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )

    def writes(self, name: str, text: str, mode: str = 'w') -> None:
        """Write a file of the project, with the Redis of the test in place of the README's."""
        with (self.folder / name).open(mode) as file:
            file.write(text.replace(REDIS_OF_README, settings.RQ_QUEUES['default']['URL']))


@pytest.fixture
def newcomer(tmp_path: Path) -> Newcomer:
    """One with the built wheel, under the name by which the README installs it."""
    dist, site_packages, home = tmp_path / 'dist', tmp_path / 'site-packages', tmp_path / 'home'
    home.mkdir()
    someone = Newcomer(home, site_packages)
    someone.types(f'python -m build --wheel --no-isolation --outdir {dist} {ROOT}')
    (wheel,) = dist.glob('netbox_jobs-*.whl')
    # What it depends on is installed already, with the tests.
    options = f'--quiet --no-index --no-deps --target {site_packages}'
    someone.types(block('sh install').replace('netbox-jobs', f'{options} {wheel}'))
    return someone


@pytest.mark.process
@pytest.mark.once
def test_the_quick_start_is_followed_to_the_letter(newcomer: Newcomer, tmp_path: Path) -> None:
    for line in block('sh new project').splitlines():
        newcomer.types(line)
    newcomer.writes('mysite/settings.py', block('python settings.py'), 'a')
    newcomer.writes('mysite/settings.py', block('python settings.py with SQLite'), 'a')
    for name in ('shop/jobs.py', 'shop/views.py', 'shop/tests.py'):
        newcomer.writes(name, block(f'python {name}'))
    assert 'no issues' in newcomer.types('python manage.py check')
    where = newcomer.types('python -c "import netbox_jobs; print(netbox_jobs.__file__)"')
    assert Path(where.strip()).is_relative_to(tmp_path)

    *before, worker_line = block('sh worker').splitlines()
    for line in before:
        newcomer.types(line)
    worker = newcomer.starts(worker_line, tmp_path / 'worker.log')
    try:
        typed = block('python enqueue') + AWAIT + block('python look') + CALL_THE_VIEW
        said = newcomer.types('python manage.py shell', stdin=typed)
        worker.terminate()
        assert worker.wait(30) == 0
    finally:
        worker.kill()
        worker.wait(10)
    assert "completed {'greeted': 'world'} [{'level': 'info', 'message': 'Hello, world'" in said, said
    assert re.search(r'^Job \d+ is pending\.$', said, re.MULTILINE), said
    assert 'Serving high, default, low' in (tmp_path / 'worker.log').read_text()
    assert 'Ran 2 tests' in newcomer.types('python manage.py test')


@pytest.mark.django_db
@pytest.mark.parametrize(('calls_', 'outcome'), rows('### Bad input'))
def test_bad_input_raises_what_the_readme_says_and_writes_nothing(calls_: str, outcome: str) -> None:
    names = {
        'Job': Job,
        'Lock': Lock,
        'Source': Thing,
        'SyncJob': Plain,
        'datetime': datetime,
        'pipe': object(),
        'system_job': system_job,
        'tonight': timezone.now() + timedelta(hours=1),
    }
    first, *others = re.findall(r'`([^`]+)`', calls_)
    expected = [
        getattr(module, name)
        for name in re.findall(r'`(\w+)`', outcome)
        for module in (builtins, exceptions, django_exceptions)
        if hasattr(module, name)
    ]
    assert expected
    for call in (first, *(f'SyncJob.enqueue({other})' for other in others)):
        for kind in expected:
            with pytest.raises(kind):
                eval(call, names)
    assert not Job.objects.exists() and not Schedule.objects.exists()


def test_the_readme_names_everything_that_enqueue_takes() -> None:
    parameters = set(inspect.signature(Job.enqueue).parameters) - {'func', 'kwargs'}
    for name in (*parameters, *options.RQ_OPTIONS):
        assert f'`{name}`' in README.split('`enqueue()` takes')[1].split('\n\n')[0], name


def test_every_command_in_the_documentation_exists() -> None:
    named = set(re.findall(r'manage\.py ([\w-]+)', README + DEPLOYMENT + COMPOSE))
    assert {'jobs', 'rqworker', 'rqworker-pool'} <= named
    assert named <= get_commands().keys()


def test_what_docker_compose_and_its_image_refer_to_exists() -> None:
    services = set(re.findall(r'^  (\w+):$', COMPOSE.split('\nservices:\n')[1].split('\nvolumes:\n')[0], re.MULTILINE))
    waited_for = set(re.findall(r'^      (\w+): \{ condition: ', COMPOSE, re.MULTILINE))
    assert services == {'migrate', 'web', 'worker', 'postgres', 'redis'}
    assert waited_for == {'migrate', 'postgres', 'redis'}
    assert '\t' not in COMPOSE
    for line in re.findall(r'^COPY (?!<<)(.+) \S+$', (ROOT / 'Dockerfile').read_text(), re.MULTILINE):
        for name in line.split():
            assert (ROOT / name).exists(), name


def test_the_health_check_of_the_workers_is_python() -> None:
    script = re.search(r'^ +- \|\n((?: {10}.*\n)+)', COMPOSE, re.MULTILINE)
    assert script
    compile(textwrap.dedent(script.group(1)), 'docker-compose.yml', 'exec')

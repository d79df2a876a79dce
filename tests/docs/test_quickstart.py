"""A newcomer who has nothing but the README and the tutorial gets what they say."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .blocks import ROOT, TUTORIAL, Block, block, blocks
from .conftest import Reader

README = ROOT / 'README.md'
# Every line that the reader types starts a process; on a busy machine that takes its time.
pytestmark = [pytest.mark.once, pytest.mark.process, pytest.mark.timeout(400)]

# What the newcomer does between typing two blocks: look at the worker's terminal until the job has run.
AWAIT = """
import time

deadline = time.monotonic() + 90
while not job.ended and time.monotonic() < deadline:
    time.sleep(0.05)
    job.refresh_from_db()
"""
CALL_THE_VIEW = """
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory
from shop.jobs import GreetingJob
from shop.views import greet
from netbox_jobs.models import Job

request = RequestFactory().post('/', {'whom': 'you'})
request.user = AnonymousUser()
print(greet(request).content.decode())
job = Job.objects.get()
"""
SETUP = """
import os, sys, django
sys.path.insert(0, os.getcwd())
os.environ['DJANGO_SETTINGS_MODULE'] = 'mysite.settings'
django.setup()
"""
# A visitor of the pages, as the tutorial has the reader be one.
VISIT = """
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from shop.models import Source

settings.ALLOWED_HOSTS = ['testserver']
visitor = Client()
visitor.force_login(get_user_model().objects.create_superuser('reader'))
answer = visitor.post('/admin/shop/source/add/', {'name': 'Warehouse', 'sync_interval': '5'})
assert answer.status_code == 302, answer.content
source = Source.objects.get()
schedule = source.jobs.get().schedule
assert schedule.interval == 5
answer = visitor.post(f'/source/{source.pk}/', follow=True)
assert 'Sync now' in answer.content.decode()
job = source.jobs.first()
"""
LOOK_AT_THE_PAGES = """
page = visitor.get(f'/source/{source.pk}/').content.decode()
assert 'Completed' in page and 'Fetched page 10 of Warehouse' in page, page
assert visitor.get(f'/jobs/{job.pk}/progress/').status_code == 200
for path in ('netbox_jobs/job/', f'netbox_jobs/job/{job.pk}/change/', f'shop/source/{source.pk}/change/'):
    page = visitor.get(f'/admin/{path}').content.decode()
    assert 'Sync' in page, path
source.sync_interval = None
source.save()
assert not source.jobs.waiting().exists()
print('all seen')
"""


@pytest.fixture(scope='module')
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel, installed as the README says; what it depends on is installed already, with the tests."""
    folder = tmp_path_factory.mktemp('wheel')
    reader = Reader(folder, folder / 'packages')
    reader.types(f'python -m build --wheel --no-isolation --outdir {folder / "dist"} {ROOT}')
    (wheel,) = folder.glob('dist/netbox_jobs-*.whl')
    options = f'--quiet --no-index --no-deps --target {folder / "packages"}'
    reader.types(block(README, 'sh install').replace('netbox-jobs', f'{options} {wheel}'))
    return folder / 'packages'


@pytest.fixture
def newcomer(packages: Path, tmp_path: Path) -> Reader:
    """One who has installed the package, and nothing else."""
    home = tmp_path / 'home'
    home.mkdir()
    return Reader(home, packages)


@contextmanager
def working(reader: Reader, line: str, log: Path) -> Iterator[None]:
    """A worker at work, which ends in order."""
    worker: subprocess.Popen[bytes] = reader.starts(line, log)
    try:
        yield
        worker.terminate()
        assert worker.wait(60) == 0
    finally:
        worker.kill()
        worker.wait(60)


def test_the_quick_start_of_the_readme_works(newcomer: Reader, packages: Path, tmp_path: Path) -> None:
    for line in block(TUTORIAL[0], 'sh project').splitlines():
        newcomer.types(line)
    newcomer.writes('mysite/settings.py', "INSTALLED_APPS += ['shop']\n", 'a')
    newcomer.writes('mysite/settings.py', block(README, 'python settings.py'), 'a')
    options = block(TUTORIAL[0], 'python mysite/settings.py').split('# SQLite needs')[1]
    newcomer.writes('mysite/settings.py', f'# SQLite needs{options}', 'a')
    for name in ('shop/jobs.py', 'shop/views.py'):
        newcomer.writes(name, block(README, f'python {name}'))
    assert 'no issues' in newcomer.types('python manage.py check')
    where = newcomer.types('python -c "import netbox_jobs; print(netbox_jobs.__file__)"')
    assert Path(where.strip()).is_relative_to(packages)
    migrate, worker = block(README, 'sh worker').splitlines()
    newcomer.types(migrate)
    with working(newcomer, worker, tmp_path / 'worker.log'):
        said = newcomer.types('python manage.py shell', stdin=CALL_THE_VIEW + AWAIT + 'print(job.status, job.data)\n')
    assert re.search(r'^Job \d+ is pending\.$', said, re.MULTILINE), said
    assert "completed {'greeted': 'you'}" in said
    assert 'Hello, you' in newcomer.types('python manage.py jobs show 1')
    assert 'Serving high, default, low' in (tmp_path / 'worker.log').read_text()


def test_the_tutorial_is_followed_to_the_letter(newcomer: Reader, tmp_path: Path) -> None:
    first, pages = TUTORIAL
    steps = iter(blocks(first))
    write_until(newcomer, steps, 'sh worker')
    with working(newcomer, 'python manage.py rqworker', tmp_path / 'worker-1.log'):
        enqueue, printed, look, looked = (next(steps) for _ in range(4))
        said = newcomer.types('python manage.py shell', stdin=enqueue.text + AWAIT + look.text)
        assert printed.text in said and looked.text in said, said
    assert next(steps).name == 'shop/jobs.py'
    newcomer.writes('shop/jobs.py', [each for each in blocks(first) if each.name == 'shop/jobs.py'][1].text)
    assert next(steps).name == 'worker'
    with working(newcomer, 'python manage.py rqworker', tmp_path / 'worker-2.log'):
        for step in steps:
            for line in step.text.splitlines():
                if line.endswith('jobs schedules'):  # the worker, which has just started, makes the schedule
                    said = newcomer.types_until(line, 'Clear sessions')
                else:
                    said = newcomer.types(line)
        assert 'Clear sessions' in said

    write_until(newcomer, iter(blocks(pages)), 'sh user')
    last = [each for each in blocks(pages) if each.name == 'shop/models.py'][1]
    newcomer.writes(last.name, last.text)
    with working(newcomer, 'python manage.py rqworker', tmp_path / 'worker-3.log'):
        typed = SETUP + VISIT + AWAIT + LOOK_AT_THE_PAGES
        assert 'all seen' in newcomer.types('python -c "import sys; exec(sys.stdin.read())"', stdin=typed)


def write_until(reader: Reader, steps: Iterator[Block], last: str) -> None:
    """Do what the blocks say, up to the one with this info string."""
    for each in steps:
        if f'{each.language} {each.name}' == last:
            return
        if '/' in each.name:
            reader.writes(each.name, each.text, 'a' if each.name.endswith('settings.py') else 'w')
        elif each.name != 'install':  # the wheel is installed
            for line in each.text.splitlines():
                reader.types(line)

"""P12: web processes and workers of two versions run side by side while the migrations of the newer one run.

The older one is `TEST_UPGRADE_FROM`, else the last tag, else the oldest commit with the migrations of today.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from tests.lifetime import tied
from tests.processes import ROOT, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process, pytest.mark.timeout(600)]
SITE = Path(__file__).parent / 'site'
NAME = f'upgrade_{os.getpid()}'
_MIGRATIONS = 'netbox_jobs/migrations'


def git(*arguments):
    return subprocess.run(['git', *arguments], cwd=ROOT, capture_output=True, check=True, timeout=60).stdout


def earlier():
    """The commit of the earlier version."""
    if named := os.environ.get('TEST_UPGRADE_FROM'):
        return named
    if tags := git('tag', '--sort=-creatordate', '--merged').split():
        return tags[0].decode()
    today, oldest = git('rev-parse', f'HEAD:{_MIGRATIONS}'), 'HEAD'
    for commit in git('rev-list', '--first-parent', '--max-count=300', 'HEAD').decode().split():
        if git('rev-parse', f'{commit}:{_MIGRATIONS}') != today:
            break
        oldest = commit
    return oldest


@pytest.fixture
def database():
    """The settings of a database that no version has migrated."""
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE DATABASE {NAME}')
    names = ('ENGINE', 'HOST', 'PORT', 'USER', 'PASSWORD', 'OPTIONS')
    yield {name: settings.DATABASES['default'][name] for name in names} | {'NAME': NAME}
    with connection.cursor() as cursor:
        cursor.execute(f'DROP DATABASE {NAME}' + (' WITH (FORCE)' if connection.vendor == 'postgresql' else ''))


class Site:
    """Two versions of the package with one database and one Redis server."""

    def __init__(self, folder, database):
        self.folder, self.notes, self.processes = folder, folder / 'notes', {}
        self.notes.touch()
        self.common = {'UPGRADE_DATABASE': json.dumps(database), 'UPGRADE_NOTES': str(self.notes)}
        self.common['UPGRADE_REDIS'] = settings.RQ_QUEUES['default']['URL']
        for version in ('old', 'new'):
            (folder / version).mkdir()
        archive = git('archive', earlier(), 'netbox_jobs')
        subprocess.run(['tar', '-x', '-C', folder / 'old'], input=archive, check=True, timeout=60)
        shutil.copytree(ROOT / 'netbox_jobs', folder / 'new' / 'netbox_jobs')
        shutil.copy(SITE / 'shop' / 'next_migration.py', folder / 'new' / _MIGRATIONS / '0002_next.py')

    def start(self, version, name, *command):
        """Start a process of a version."""
        path = os.pathsep.join([str(self.folder / version), str(SITE)])
        more = {'PYTHONPATH': path, 'UPGRADE_VERSION': version, 'DJANGO_SETTINGS_MODULE': 'site_settings'}
        with (self.folder / f'{version}-{name}.log').open('w') as log:
            process = subprocess.Popen(
                tied([sys.executable, '-m', *command]),
                env={**os.environ, **self.common, **more},
                cwd=self.folder / version,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.processes[version, name] = process
        return process

    def run(self, version, name, *command):
        """Run a command of a version."""
        assert self.start(version, name, *command).wait(120) == 0, self.output(version, name)

    def output(self, version, name):
        log = self.folder / f'{version}-{name}.log'
        return log.read_text() if log.exists() else ''

    def serve(self, version):
        """Start a web process and two workers."""
        self.start(version, 'web', 'shop.web')
        self.start(version, 'worker', 'django', 'rqworker')
        self.start(version, 'fast', 'django', 'rqworker', '--fast')

    def wait(self, condition, what):
        """Wait, as long as no page is an error."""

        def met():
            assert self.noted('page') == [], self.output('old', 'web') + self.output('new', 'web')
            return condition()

        wait_for(met, 180, what)

    def noted(self, what):
        """The lines about something, as tuples of the rest: the job or the page, and the version or the status."""
        lines = [line.split() for line in self.notes.read_text().splitlines()]
        return [(line[1], line[2]) for line in lines if line[0] == what]

    def crossed(self):
        """How many jobs each version has run that the other one has enqueued."""
        by = dict(self.noted('enqueued'))
        crossed = Counter(version for job, version in set(self.noted('run')) if by.get(job, version) != version)
        return min(crossed['old'], crossed['new'])

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.wait(60)


@pytest.fixture
def site(tmp_path, database):
    site = Site(tmp_path, database)
    yield site
    site.close()


def test_p12_two_versions_run_side_by_side_while_the_newer_migrates(site):
    site.run('old', 'migrate', 'django', 'migrate', '-v0')
    for version in ('old', 'new'):
        site.run('old', 'user', 'shop.user', version)
    site.serve('old')
    site.wait(lambda: len(site.noted('run')) > 20, 'jobs of the old version')
    site.run('new', 'migrate', 'django', 'migrate', '-v1')
    assert '0002_next... OK' in site.output('new', 'migrate')
    site.serve('new')
    site.wait(lambda: site.crossed() > 30, 'jobs that the other version has enqueued')
    (site.folder / 'end').touch()
    for version in ('old', 'new'):
        assert site.processes[version, 'web'].wait(60) == 0, site.output(version, 'web')
    # The last jobs are ended by whichever is there.
    site.run('new', 'wait', 'shop.ended')
    for version in ('old', 'new'):
        for name in ('worker', 'fast'):
            site.processes[version, name].terminate()
            site.processes[version, name].wait(60)
    assert site.noted('page') == []
    ended = {pk: (status, data) for pk, status, data in json.loads(site.output('new', 'wait').splitlines()[-1])}
    enqueued = [pk for pk, version in site.noted('enqueued')]
    assert {ended.get(int(pk), ['lost'])[0] for pk in enqueued} == {'completed'}
    assert {json.dumps(ended[int(pk)][1]) for pk in enqueued} <= {'[1, 2]', '"echoed"'}
    assert set(Counter(site.noted('step')).values()) == {1}
    runs = Counter(pk for pk, version in site.noted('run'))
    steps = {pk for pk, version in site.noted('step')}
    assert {pk: number for pk, number in runs.items() if number != (2 if pk in steps else 1)} == {}
    for version in ('old', 'new'):
        for name in ('worker', 'fast'):
            assert 'ERROR' not in site.output(version, name).replace('RuntimeError', ''), site.output(version, name)

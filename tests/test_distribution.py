"""What is uploaded: a source distribution and a wheel with everything that the package needs, and nothing else."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from tests.lowest import OF_DEVELOPERS, constraints

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
pytestmark = [pytest.mark.once, pytest.mark.process, pytest.mark.timeout(400)]


def files(folder: str) -> set[str]:
    """The files of a folder of the repository, without what running it has left."""
    found = (path.relative_to(ROOT) for path in (ROOT / folder).rglob('*') if path.is_file())
    return {str(path) for path in found if '__pycache__' not in path.parts}


@pytest.fixture(scope='module')
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of both, the wheel built from the source distribution."""
    folder = tmp_path_factory.mktemp('dist')
    command = [sys.executable, '-m', 'build', '--no-isolation', '--outdir', str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return folder


def test_the_wheel_has_all_files_of_the_package_and_no_others(distributions):
    (wheel,) = distributions.glob('*.whl')
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if '.dist-info/' not in name}
        metadata = message_from_string(
            next(archive.read(name).decode() for name in archive.namelist() if name.endswith('/METADATA'))
        )
        entry_points = next(
            archive.read(name).decode() for name in archive.namelist() if name.endswith('/entry_points.txt')
        )
        assert any(name.endswith('/licenses/LICENSE') for name in archive.namelist())
    assert names == files('netbox_jobs')
    for kind in ('py.typed', 'migrations/0001_initial.py', 'live.js', 'jobs.css', 'dashboard.json', 'alerts.yml'):
        assert any(name.endswith(kind) for name in names), kind
    assert any('/templates/' in name for name in names)
    assert (metadata['Name'], metadata['Version']) == ('netbox-jobs', PROJECT['version'])
    assert metadata['Requires-Python'] == PROJECT['requires-python']
    assert set(metadata.get_all('Provides-Extra')) == PROJECT['optional-dependencies'].keys()
    assert metadata['Description-Content-Type'] == 'text/markdown'
    assert '[pytest11]' in entry_points
    assert wheel.name.endswith('-py3-none-any.whl')


def test_the_source_distribution_has_what_its_tests_need(distributions):
    (source,) = distributions.glob('*.tar.gz')
    with tarfile.open(source) as archive:
        names = {member.name.partition('/')[2] for member in archive.getmembers() if member.isfile()}
    for folder in ('netbox_jobs', 'tests', 'example_plugin', 'project', 'docs'):
        assert {name for name in files(folder) if '/_build/' not in name} <= names
    assert {'LICENSE', 'README.md', 'CHANGELOG.md', 'Makefile', 'pyproject.toml', 'manage.py'} <= names


def test_twine_finds_nothing_wrong_with_them(distributions):
    found = [str(path) for path in distributions.iterdir()]
    assert len(found) == 2
    command = [sys.executable, '-m', 'twine', 'check', '--strict', *found]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_dependency_of_users_has_a_lowest_version():
    extras = PROJECT['optional-dependencies'].items()
    named = [*PROJECT['dependencies'], *(line for name, lines in extras if name not in OF_DEVELOPERS for line in lines)]
    names = {re.match(r'[\w-]+', line)[0] for line in named} - {'netbox-jobs'}
    assert names == constraints().keys()
    assert constraints()['Django'] == '5.2'

"""What the README says is followed to the letter, and looked up in the code."""

import importlib
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

from django.conf import settings

from netbox_jobs import conf

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / 'README.md').read_text()


def block(name):
    """The fenced block of the README that carries a file's name."""
    found = re.search(rf'^```python {re.escape(name)}\n(.*?)^```', README, re.DOTALL | re.MULTILINE)
    assert found, f'the README has no block {name}'
    return found.group(1)


def run(folder, *command, **more):
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **more}, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_quick_start_works_to_the_letter_from_the_built_wheel(tmp_path):
    run(ROOT, sys.executable, '-m', 'build', '--wheel', '--no-isolation', '--outdir', str(tmp_path / 'dist'))
    (wheel,) = (tmp_path / 'dist').glob('*.whl')
    installed = tmp_path / 'installed'
    zipfile.ZipFile(wheel).extractall(installed)
    names = zipfile.ZipFile(wheel).namelist()
    assert 'netbox_jobs/py.typed' in names
    assert not [name for name in names if name.startswith(('tests/', 'example_plugin/', 'project/'))]

    site = tmp_path / 'site'
    site.mkdir()
    environment = {'DJANGO_SETTINGS_MODULE': 'site_.settings', 'PYTHONPATH': str(installed)}
    run(site, sys.executable, '-m', 'django', 'startproject', 'site_', '.', DJANGO_SETTINGS_MODULE='')
    run(site, sys.executable, 'manage.py', 'startapp', 'shop', **environment)
    lines = block('settings.py')
    assert len(lines.strip().splitlines()) == 3
    # The README's server is on its usual port; the test's is where the test says.
    lines += f"RQ_QUEUES = {{'default': {{'URL': {settings.RQ_QUEUES['default']['URL']!r}}}}}\n"
    with (site / 'site_/settings.py').open('a') as file:
        file.write(lines)
    (site / 'shop/jobs.py').write_text(block('shop/jobs.py'))
    run(site, sys.executable, 'manage.py', 'migrate', **environment)
    run(site, sys.executable, 'manage.py', 'shell', '-c', block('enqueue'), **environment)
    run(site, sys.executable, 'manage.py', 'rqworker', '--burst', **environment)
    look = (
        'from netbox_jobs.models import Job; job = Job.objects.get(); '
        'print(job.status, job.data, job.log_entries[0]["message"])'
    )
    said = run(site, sys.executable, 'manage.py', 'shell', '-c', look, **environment)
    assert "completed {'greeted': 'world'} Hello, world" in said


def test_every_setting_is_in_the_table_with_its_default():
    for name, default in conf.DEFAULTS.items():
        assert f"| `NETBOX_JOBS['{name}']` | `{default!r}` |" in README
    assert f'| `JOB_RETENTION` | `{conf.DEFAULT_RETENTION}` |' in README


def test_every_import_that_replaces_one_of_netbox_works():
    imports = re.findall(r'\| `from (netbox_jobs[\w.]*) import ([^`]+)` \|', README)
    assert len(imports) == 7
    for module, names in imports:
        for name in names.split(', '):
            assert hasattr(importlib.import_module(module), name), f'{module}.{name}'


def test_every_file_that_is_linked_exists():
    for target in re.findall(r'\]\(([^)#:]+)\)', README):
        assert (ROOT / target).exists(), target


def test_docker_compose_names_what_the_readme_says():
    compose = (ROOT / 'docker-compose.yml').read_text()
    for service in ('web', 'worker', 'postgres', 'redis'):
        assert re.search(rf'^  {service}:$', compose, re.MULTILINE)
    assert compose.count('healthcheck:') == 4
    assert 'replicas: 2' in compose

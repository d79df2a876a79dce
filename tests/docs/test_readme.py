"""What the README says is looked up in the code. (Its quick start is followed in `test_quickstart.py`.)"""

import importlib
import logging
import logging.config
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from netbox_jobs.core import conf, retries

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / 'README.md').read_text()


@pytest.mark.process
@pytest.mark.once
def test_the_wheel_carries_the_package_and_nothing_else(tmp_path):
    build = [sys.executable, '-m', 'build', '--wheel', '--no-isolation', '--outdir', str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob('*.whl')
    names = zipfile.ZipFile(wheel).namelist()
    assert 'netbox_jobs/py.typed' in names
    assert 'netbox_jobs/migrations/0001_initial.py' in names
    assert {name.split('/')[0].split('-')[0] for name in names} == {'netbox_jobs'}


def test_every_setting_is_in_the_table_with_its_default():
    for name, default in conf.DEFAULTS.items():
        assert f"| `NETBOX_JOBS['{name}']` | `{default!r}` |" in README
    assert f'| `JOB_RETENTION` | `{conf.DEFAULT_RETENTION}` |' in README


def test_every_import_that_replaces_one_of_netbox_works():
    imports = re.findall(r'\| `from (netbox_jobs[\w.]*) import ([^`]+)` \|', README)
    assert len(imports) == 8
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


def test_the_logging_of_the_readme_carries_the_id_of_the_job(capsys):
    block = re.search(r'```python\n(LOGGING = .*?)```', README, re.DOTALL)
    settings: dict = {}
    exec(block[1], settings)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        logging.config.dictConfig({**settings['LOGGING'], 'disable_existing_loggers': False})
        logging.getLogger('anybody').warning('said')
    finally:
        root.handlers[:], level = before
        root.setLevel(level)
    assert '- WARNING said' in capsys.readouterr().err


def test_every_option_of_a_runner_is_named():
    for option in ('name', 'queue', 'job_timeout', *retries.OPTIONS, 'on_crash', 'max_crashes', 'stop_grace'):
        assert f'`{option}`' in README or f'`Meta.{option}`' in README, option

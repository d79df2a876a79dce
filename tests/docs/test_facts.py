"""What the README and the pages say is looked up in the code."""

import ast
import builtins
import importlib
import inspect
import logging
import logging.config
import re
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

import pytest
import yaml
from django.core import exceptions as django_exceptions
from django.core.management import get_commands, load_command_class
from django.utils import timezone
from rq import Worker as RQWorker

from netbox_jobs import checks, exceptions
from netbox_jobs.choices import JobStatusChoices
from netbox_jobs.core import conf, runner_options
from netbox_jobs.jobs import system_job
from netbox_jobs.models import Job, Schedule
from netbox_jobs.worker import FastWorker
from tests.app.jobs import Plain
from tests.app.models import Thing

from .blocks import DOCS, PAGES, ROOT, names, rows

README = ROOT / 'README.md'
CONTRIBUTING = ROOT / 'CONTRIBUTING.md'
ALL = [README, CONTRIBUTING, ROOT / 'CHANGELOG.md', *PAGES]
COMPOSE = (ROOT / 'docker-compose.yml').read_text()
IMAGE = (ROOT / 'Dockerfile').read_text()
ERRORS = DOCS / 'reference' / 'errors.md'
ENQUEUE = DOCS / 'how-to' / 'enqueue.md'
ARCHITECTURE = DOCS / 'explanation' / 'architecture.md'
LIFECYCLE = DOCS / 'explanation' / 'lifecycle.md'

#: Words that the documentation of the project does not use. (`horse` is part of names of RQ.)
AVOIDED = (
    r'[Ww]hoever|as it may|for ours|of those|nothing of it|[Ss]omebody|\bbury\b|\bburies\b|[Ff]arewell|[Kk]eeper|'
    r'(?<!work_)(?<!for_)(?<!kill_)\bhorse|\bmend(?:s|ed|ing)?\b'
)


def first_column(page: Path, heading: str) -> set[str]:
    """All that the first cells of a table name."""
    return {name for row in rows(page, heading) for name in names(row[0])}


# Calls, options, errors


@pytest.mark.once
@pytest.mark.django_db
@pytest.mark.parametrize(('calls', 'outcome'), rows(ERRORS, '## Bad input'))
def test_bad_input_raises_what_the_page_says_and_writes_nothing(calls: str, outcome: str) -> None:
    known = {
        'Job': Job,
        'Lock': Lock,
        'Source': Thing,
        'SyncJob': Plain,
        'datetime': datetime,
        'pipe': object(),
        'system_job': system_job,
        'tonight': timezone.now() + timedelta(hours=1),
    }
    first, *others = names(calls)
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
                eval(call, known)
    assert not Job.objects.exists() and not Schedule.objects.exists()


def test_the_table_of_meta_has_all_that_a_runner_may_say():
    assert first_column(ENQUEUE, "## The runner's own options") == runner_options.META


def test_the_table_of_exceptions_has_them_all_with_their_bases():
    found = {}
    for name, bases, _when in rows(ERRORS, '## Exceptions'):
        (found_name,) = names(name)
        found[found_name] = names(bases)
    assert found.keys() == set(exceptions.__all__) - {'NetBoxJobsError'}
    for name, bases in found.items():
        for base in bases:
            kind = getattr(builtins, base, None) or getattr(exceptions, base)
            assert issubclass(getattr(exceptions, name), kind), name


# Settings, checks, commands


def test_every_setting_is_in_the_table_with_its_default():
    text = (DOCS / 'reference' / 'settings.md').read_text()
    for name, setting in conf.SETTINGS.items():
        assert f"| `NETBOX_JOBS['{name}']` | `{setting.default!r}` |" in text
    assert f'| `JOB_RETENTION` | `{conf.DEFAULT_RETENTION}` |' in text


def test_the_table_of_checks_has_all_ids():
    ids = set(re.findall(r"'(netbox_jobs\.[EW]\d+)'", inspect.getsource(checks)))
    backend = (ROOT / 'netbox_jobs' / 'contrib' / 'django_tasks' / 'backend.py').read_text()
    ids |= {f'netbox_jobs.{number}' for number in re.findall(r"yield '([EW]\d+)'", backend)}
    assert first_column(DOCS / 'reference' / 'checks.md', '# System checks') == ids


def test_every_command_in_the_documentation_exists():
    named = {name for page in ALL for name in re.findall(r'manage\.py ([a-z][\w-]*)', page.read_text())}
    named |= set(re.findall(r'manage\.py ([\w-]+)', COMPOSE))
    assert {'jobs', 'rqworker', 'rqworker-pool'} <= named
    assert named <= get_commands().keys()
    # What `jobs` has of commands is compared in `tests/cli/`.


def test_the_logging_of_the_page_carries_the_id_of_the_job(capsys):
    page = (DOCS / 'how-to' / 'log-and-notify.md').read_text()
    found = re.search(r'^(LOGGING = .*?)```', page, re.DOTALL | re.MULTILINE)
    settings: dict = {}
    exec(found[1], settings)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        logging.config.dictConfig(settings['LOGGING'])
        logging.getLogger('any').warning('said')
    finally:
        root.handlers[:], level = before
        root.setLevel(level)
    assert '- WARNING said' in capsys.readouterr().err


# Imports, paths, links


def test_every_import_that_replaces_one_of_netbox_works():
    page = (DOCS / 'how-to' / 'from-netbox.md').read_text()
    imports = re.findall(r'\| `from (netbox_jobs[\w.]*) import ([^`]+)` \|', page)
    assert len(imports) == 8
    for module, found in imports:
        for name in found.split(', '):
            assert hasattr(importlib.import_module(module), name), f'{module}.{name}'


@pytest.mark.parametrize('page', ALL, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_linked_exists(page):
    for target in re.findall(r'\]\(([^)#:]+)(?:#[^)]*)?\)', page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize('page', [CONTRIBUTING, ARCHITECTURE], ids=lambda page: page.name)
def test_every_file_that_contributors_are_sent_to_exists(page):
    for target in set(re.findall(r'`((?:netbox_jobs|tests|docs)/[\w/.-]+)`', page.read_text())):
        if 'hold' not in target and not target.startswith('docs/_build'):  # the example of a transition
            assert (ROOT / target).exists(), target
    for target in set(re.findall(r'`(\w+/\w+\.py)`', ARCHITECTURE.read_text())):
        if not target.startswith('tests/'):
            assert (ROOT / 'netbox_jobs' / target).exists(), target


def test_the_targets_of_make_that_contributors_are_told_of_exist():
    makefile = (ROOT / 'Makefile').read_text()
    for cell in rows(CONTRIBUTING, '## Set up'):
        assert re.search(rf'^{names(cell[0])[0].removeprefix("make ")}:', makefile, re.MULTILINE), cell[0]


def test_the_markers_that_contributors_are_told_of_exist():
    declared = set(re.findall(r'^    "(\w+): ', (ROOT / 'pyproject.toml').read_text(), re.MULTILINE))
    assert first_column(CONTRIBUTING, '## Tests') <= declared


# The inside


def test_the_lifecycle_names_every_status_and_files_that_exist():
    assert first_column(LIFECYCLE, '## Statuses') == set(JobStatusChoices.values())
    for _from, _to, _when, file in rows(LIFECYCLE, '## Transitions'):
        for name in names(file):
            assert (ROOT / 'netbox_jobs' / ('' if name.endswith('/') else 'lifecycle') / name).exists(), name


def test_the_table_of_overrides_has_what_is_overridden_in_the_worker_of_rq():
    known = set(dir(RQWorker))
    ours = {name for kind in FastWorker.__mro__[: FastWorker.__mro__.index(RQWorker)] for name in vars(kind)}
    overridden = {name for name in ours & known if name == '__init__' or not name.startswith('__')}
    told = first_column(ARCHITECTURE, "## What is overridden in RQ's worker")
    assert overridden <= told <= ours  # some of them are in RQ 2 alone


def test_the_tests_that_are_named_exist():
    defined, stems = set(), set()
    for path in (ROOT / 'tests').rglob('test_*.py'):
        stems.add(path.stem)
        defined |= {each.name for each in ast.walk(ast.parse(path.read_text())) if isinstance(each, ast.FunctionDef)}
    for page in ALL:
        for name, more in re.findall(r'`(?:\.\.)?(test_\w+?)(\.\.\.)?`', page.read_text()):
            found = any(each.startswith(name) for each in defined) if more else name in defined
            assert found or name == 'test_p1_', f'{page.name}: {name}'


def test_what_docker_compose_and_its_image_refer_to_exists():
    services = set(re.findall(r'^  (\w+):$', COMPOSE.split('\nservices:\n')[1].split('\nvolumes:\n')[0], re.MULTILINE))
    waited_for = set(re.findall(r'^      (\w+): \{ condition: ', COMPOSE, re.MULTILINE))
    assert services == {'migrate', 'web', 'worker', 'postgres', 'redis'}
    assert waited_for == {'migrate', 'postgres', 'redis'}
    assert '\t' not in COMPOSE
    assert COMPOSE.count('healthcheck:') == 4
    assert 'replicas: 2' in COMPOSE
    for line in re.findall(r'^COPY (.+) \S+$', IMAGE, re.MULTILINE):
        for name in line.split():
            assert (ROOT / name).exists(), name
    (settings_module,) = re.findall(r'DJANGO_SETTINGS_MODULE=(\S+)', IMAGE)
    assert find_spec(settings_module) is not None


def test_the_commands_of_docker_compose_exist():
    services = yaml.safe_load(COMPOSE)['services'].values()
    checks = [service.get('healthcheck', {}).get('test', [''])[1:] for service in services]
    found = [words for words in (*(service.get('command', '').split() for service in services), *checks) if words]
    managed = [words[2:] for words in found if words[:2] == ['python', 'manage.py']]
    assert sorted(name for name, *_ in managed) == ['jobs', 'migrate', 'rqworker']
    for name, *arguments in managed:
        load_command_class(get_commands()[name], name).create_parser('manage.py', name).parse_args(arguments)
    (module,) = (words[1] for words in found if words[0] == 'gunicorn')
    assert find_spec(module) is not None
    (code,) = (words[2] for words in found if words[:2] == ['python', '-c'])
    compile(code, 'health check', 'exec')


# The language


@pytest.mark.parametrize('page', ALL, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_pages_use_the_words_of_the_field(page):
    text = re.sub(r'`[^`\n]*`', '', page.read_text())
    assert re.findall(f'.*?(?:{AVOIDED}).*', text) == []


def test_the_glossary_is_in_order():
    terms = re.findall(r'^([A-Z][^\n]*)\n  ', block_of_glossary(), re.MULTILINE)
    assert terms == sorted(terms, key=str.lower) and len(terms) > 25


def block_of_glossary() -> str:
    return (DOCS / 'glossary.md').read_text().split('```{glossary}\n')[1].split('```')[0]


def test_the_readme_is_short_and_has_the_numbers_of_the_chaos_runs():
    text = README.read_text()
    assert len(text.splitlines()) <= 250
    reliability = (DOCS / 'explanation' / 'reliability.md').read_text()
    runs = re.findall(r'^\| (?:seed|jobs enqueued|completed|errored|seconds|all counts).*$', text, re.MULTILINE)
    assert len(runs) == 7
    for line in runs:
        assert line in reliability

"""Every block on a page of the documentation runs, or is checked as far as it can be."""

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from .blocks import DOCS, PAGES, ROOT, TUTORIAL, TYPED_API, Block, blocks
from .conftest import Reader

RUN_PAGE = Path(__file__).parent / 'run_page.py'
#: Runs a file in the project of the tutorial.
RUN = """
import os, runpy, sys, django
sys.path.insert(0, os.getcwd())
os.environ['DJANGO_SETTINGS_MODULE'] = 'mysite.settings'
django.setup()
runpy.run_path(sys.argv[1], run_name='__main__')
"""
#: The languages of blocks that run in the project of the tutorial.
RUNNING = {'python', 'pycon', 'text', 'html+django'}
CHECKED = {'sh', 'ini', 'css', 'html', 'json', 'yaml'}
#: Pages that change settings, or rename a runner: each runs in a project of its own.
APART = [
    'how-to/context.md',
    'how-to/deploy.md',
    'how-to/django-tasks.md',
    'how-to/log-and-notify.md',
    'how-to/metrics.md',
    'how-to/middleware.md',
    'how-to/netbox-plugins.md',
    'how-to/plugins.md',
    'how-to/rates.md',
    'how-to/rest.md',
    'how-to/secrets.md',
    'how-to/test.md',
    'how-to/traces.md',
]
OTHERS = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', ROOT / 'CHANGELOG.md']
#: Characters of a line that the site shows without scrolling.
WIDTH = 84
#: The extras that can be installed.
EXTRAS = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['optional-dependencies']
#: Keys of systemd's units, for machines without `systemd-analyze`.
UNIT_KEYS = {
    'Unit': {'description', 'after', 'wants'},
    'Service': {
        'user', 'workingdirectory', 'execstart', 'killmode', 'timeoutstopsec', 'restart', 'restartsec',
    },
    'Install': {'wantedby'},
}  # fmt: skip


def run(reader: Reader, found: list[Block]) -> None:
    """Write the files that the blocks name, and run the others."""
    for each in found:
        if each.name and each.language == 'python':
            reader.writes(each.name, f'\n\n{each.text}', 'a')
    given = [
        {**asdict(each), 'page': str(each.page.relative_to(ROOT))}
        for each in found
        if each.language in RUNNING and not each.name
    ]
    reader.types(shlex.join(['python', '-c', RUN, str(RUN_PAGE)]), stdin=json.dumps(given))


def has_running(page: Path) -> bool:
    return page not in TUTORIAL and any(each.language in RUNNING for each in blocks(page))


def runnable(page: Path) -> list[Block]:
    return [each for each in blocks(page) if each.mark != TYPED_API]


@pytest.mark.once
@pytest.mark.process
@pytest.mark.parametrize('name', APART)
def test_the_blocks_of_a_page_run_in_the_project_of_the_tutorial(name: str, reader: Reader) -> None:
    run(reader, runnable(DOCS / name))


@pytest.mark.once
@pytest.mark.process
def test_the_blocks_of_the_other_pages_run_in_the_project_of_the_tutorial(reader: Reader) -> None:
    pages = [page for page in PAGES if has_running(page) and str(page.relative_to(DOCS)) not in APART]
    assert len(pages) > 6
    run(reader, [each for page in pages for each in runnable(page)])


@pytest.mark.once
@pytest.mark.process
def test_the_tests_of_the_testing_page_pass(reader: Reader) -> None:
    for each in blocks(DOCS / 'how-to' / 'test.md'):
        if each.name:
            reader.writes(each.name, each.text, 'a' if each.name.endswith('settings.py') else 'w')
    assert 'Ran 6 tests' in reader.types('python manage.py test')


@pytest.mark.parametrize('page', [*PAGES, *OTHERS], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_is_of_a_kind_that_is_run_or_checked(page: Path) -> None:
    for each in blocks(page):
        assert each.language in RUNNING | CHECKED, f'{each.place}: {each.language}'
        assert each.mark in ('', TYPED_API), f'{each.place}: {each.mark}'
        if each.language not in ('text', 'pycon'):  # which are wrapped
            assert max(map(len, each.text.splitlines())) <= WIDTH, f'{each.place}: a line is cut off on the site'
    assert page.read_text().count('\n```') % 2 == (1 if page.read_text().startswith('```') else 0)


SHELL = [each for page in [*PAGES, *OTHERS] for each in blocks(page) if each.language == 'sh']


@pytest.mark.parametrize('each', SHELL, ids=lambda each: each.place)
def test_the_commands_of_a_shell_block_exist_and_take_these_options(each: Block) -> None:
    for line in each.text.splitlines():
        program, *arguments = shlex.split(line)
        match program:
            case 'python':
                assert arguments[0] == 'manage.py', line
                check_command(arguments[1], arguments[2:])
            case 'make':
                check_make(arguments)
            case 'docker':
                check_compose(arguments)
            case 'django-admin':
                check_command(arguments[0], arguments[1:])
            case 'pip':
                assert (
                    re.fullmatch(r'netbox-jobs(\[\w+\])?', arguments[1])
                    and arguments[0] == 'install'
                    and len(arguments) == 2
                )
                extra = arguments[1].partition('[')[2].rstrip(']')
                assert not extra or extra in EXTRAS
            case 'cd':
                assert arguments == ['mysite']
            case _:
                raise AssertionError(f'{each.place}: {line}')


def check_command(name: str, arguments: list[str]) -> None:
    """Raises `CommandError` for what the command does not take."""
    parser = load_command_class(get_commands()[name], name).create_parser('manage.py', name)
    parser.parse_args(arguments)


def check_make(arguments: list[str]) -> None:
    makefile = (ROOT / 'Makefile').read_text()
    target, *variables = arguments
    assert re.search(rf'^{target}:', makefile, re.MULTILINE), f'make {target}'
    for variable in variables:
        assert re.search(rf'^{variable.split("=")[0]} \?=', makefile, re.MULTILINE), variable


def check_compose(arguments: list[str]) -> None:
    assert arguments[0] == 'compose' and arguments[1] in ('up', 'exec')
    services = (ROOT / 'docker-compose.yml').read_text()
    named = [arguments[2]] if arguments[1] == 'exec' else re.findall(r'(\w+)=\d', ' '.join(arguments))
    for service in named:
        assert re.search(rf'^  {service}:$', services, re.MULTILINE), service


@pytest.mark.process
def test_the_unit_of_systemd_has_keys_that_exist_and_starts_a_command_that_exists(tmp_path: Path) -> None:
    (unit,) = [each for page in PAGES for each in blocks(page) if each.language == 'ini']
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(unit.text)
    for section in parser.sections():
        assert set(parser[section]) <= UNIT_KEYS[section]
    _python, manage, name, *arguments = shlex.split(parser['Service']['ExecStart'])
    assert manage == 'manage.py'
    check_command(name, arguments)
    if analyze := shutil.which('systemd-analyze'):
        # With a program, a user and a folder that this machine has.
        text = re.sub('^ExecStart=.*', 'ExecStart=/bin/true', unit.text, flags=re.MULTILINE)
        text = re.sub('^User=.*', 'User=root', text, flags=re.MULTILINE)
        path = tmp_path / 'jobs@1.service'
        path.write_text(re.sub('^WorkingDirectory=.*', 'WorkingDirectory=/', text, flags=re.MULTILINE))
        done = subprocess.run([analyze, 'verify', path], capture_output=True, text=True, env=os.environ, timeout=150)
        assert 'jobs@1.service' not in done.stderr, done.stderr


def test_the_css_variables_and_data_attributes_of_the_pages_exist() -> None:
    static = ROOT / 'netbox_jobs' / 'static' / 'netbox_jobs'
    for each in blocks(DOCS / 'how-to' / 'pages.md'):
        if each.language == 'css':
            assert set(re.findall(r'--nbj-[\w-]+', each.text)) <= set(
                re.findall(r'--nbj-[\w-]+', (static / 'jobs.css').read_text())
            )
        elif each.language == 'html':
            script = (static / 'live.js').read_text()
            for attribute in re.findall(r'data-([\w-]+)=', each.text):
                first, *others = attribute.split('-')
                assert f'data-{attribute}' in script or first + ''.join(map(str.title, others)) in script, attribute


@pytest.mark.parametrize('page', [*PAGES, *OTHERS], ids=lambda page: page.stem)
def test_no_blank_line_ends_a_table_before_its_last_row(page: Path) -> None:
    lines = ['', *page.read_text().splitlines(), '']
    for before, row, after in zip(lines, lines[1:], lines[2:], strict=False):
        if row.startswith('|') and not before.strip():
            assert after.startswith('|-'), f'A row after a blank line is no row of a table: {row}'

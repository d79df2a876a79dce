"""What the documentation shows of the typed API: options apart from arguments, unknown keywords, unsaved instances."""

import importlib

import pytest

from netbox_jobs import exceptions
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job, Schedule

from .blocks import DOCS, PAGES, TYPED_API, blocks, names, rows
from .conftest import Reader
from .test_pages import run

ERRORS = DOCS / 'reference' / 'errors.md'
SHOWING = [page for page in PAGES if any(each.mark == TYPED_API for each in blocks(page))]


class Narrow(JobRunner):
    """Takes one argument, and no others."""

    def run(self, pages=1):
        pass


class Demanding(JobRunner):
    """Requires an argument."""

    def run(self, url):
        pass


@pytest.mark.once
@pytest.mark.process
def test_the_blocks_that_show_the_typed_api_run(reader: Reader) -> None:
    shown = [each for page in SHOWING for each in blocks(page)]
    run(reader, [each for each in shown if each.mark == TYPED_API or each.language == 'python'])


WRONG = [*rows(ERRORS, '## Unknown keywords'), *rows(ERRORS, '## Missing arguments')]


@pytest.mark.once
@pytest.mark.django_db
@pytest.mark.parametrize(('calls', 'outcome'), WRONG)
def test_a_wrong_or_missing_keyword_raises_what_the_page_says_and_writes_nothing(calls: str, outcome: str) -> None:
    (call,) = names(calls)
    error, *named = names(outcome)
    assert error == 'TypeError'
    with pytest.raises(TypeError) as raised:
        eval(call, {'Narrow': Narrow, 'Demanding': Demanding})
    for word in named:
        assert f"'{word}'" in str(raised.value)
    assert not Job.objects.exists() and not Schedule.objects.exists()


def test_the_table_of_options_has_all_that_enqueue_takes():
    options = importlib.import_module('netbox_jobs.core.options')
    page = DOCS / 'how-to' / 'enqueue.md'
    assert {name for row in rows(page, '## Options') for name in names(row[0])} == options.OPTIONS
    for refused in options.REFUSED:
        assert f'`{refused}`' in page.read_text().split('## Options')[1].split('\n## ')[0]


def test_every_exception_has_the_base_that_the_page_names() -> None:
    base = exceptions.NetBoxJobsError
    for name in set(exceptions.__all__) - {'JobCanceled'}:
        assert issubclass(getattr(exceptions, name), base), name

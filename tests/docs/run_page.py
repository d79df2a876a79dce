"""Runs the Python and template blocks of pages in the project of the tutorial; `test_pages.py` starts it there.

The names that the how-to guides use without introducing them (`source`, `user`, `tonight`, `SyncJob`) are there. This
process is the worker as well: after each block, it runs what was delivered.
"""

import contextlib
import doctest
import io
import json
import sys
import types
from collections.abc import Iterable
from datetime import timedelta
from itertools import groupby
from typing import Any

import django_rq
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.template import engines
from django.test import RequestFactory
from django.utils import timezone
from rq import SimpleWorker
from shop.jobs import SyncJob
from shop.models import Source

from netbox_jobs.core import queues
from netbox_jobs.models import Job


def main() -> None:
    """Run all blocks, page by page and in order; what one raises ends the process."""
    call_command('check', fail_level='WARNING', stdout=io.StringIO())
    for name, found in groupby(json.load(sys.stdin), key=lambda block: block['page']):
        blocks = list(found)
        # On a page that lets days pass, once a year: each of the synchronizations would take five seconds.
        passes = any('until=' in block['text'] for block in blocks)
        Job.objects.all().delete()  # what the pages before it have left waiting, such as periodic jobs
        page = types.ModuleType('shop.page')
        sys.modules['shop.page'] = page
        vars(page).update(
            SyncJob=SyncJob,
            source=Source.objects.create(name='Warehouse', sync_interval=525_600 if passes else 60),
            tonight=timezone.now() + timedelta(hours=8),
            user=get_user_model().objects.create_user(name),
        )
        run(blocks, vars(page))


def run(blocks: Iterable[dict[str, Any]], names: dict[str, Any]) -> None:
    """Run the blocks of one page, with these names."""
    said = ''
    for block in blocks:
        match block['language']:
            case 'python':
                output = io.StringIO()
                with contextlib.redirect_stdout(output):
                    # The line of the page in tracebacks.
                    exec(compile('\n' * (block['line'] - 1) + block['text'], block['page'], 'exec'), names)
                said = output.getvalue()
                work()
            case 'pycon':
                examples = doctest.DocTestParser().get_doctest(
                    block['text'], names, block['page'], block['page'], block['line']
                )
                assert not doctest.DocTestRunner().run(examples, clear_globs=False).failed, block['text']
            case 'text':
                assert said == block['text'], f'{block["page"]}:{block["line"]}: the block before it printed\n{said}'
            case 'html+django':
                request = RequestFactory().get('/')
                request.user = names['user']
                context = {'source': names['source'], 'job': names['source'].jobs.first()}
                assert engines['django'].from_string(block['text']).render(context, request).strip()


def work() -> None:
    """Run what is delivered, as a worker would."""
    served = [*queues.DEFAULT_QUEUES, *queues.plugin_queues()]
    with contextlib.redirect_stdout(sys.stderr):
        django_rq.get_worker(*served, worker_class=SimpleWorker).work(burst=True, logging_level='WARNING')


if __name__ == '__main__':
    main()

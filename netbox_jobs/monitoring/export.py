"""The export of a list of jobs as CSV or JSON: piece by piece, however many jobs, and safe to open in a spreadsheet."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db.models.functions import Left

from ..core import formatting
from ..models import Job
from ..models.querysets import JobQuerySet
from . import related
from .job_documents import Document
from .job_documents import job as document

#: How many jobs one export has at most, and how many are read at once.
MOST, BATCH = 100_000, 500
#: The columns: the keys of the documents, without the progress, which ended jobs do not have.
COLUMNS = (
    'id', 'job_id', 'name', 'runner', 'status', 'queue', 'user', 'instance', 'tenant', 'created', 'scheduled',
    'started', 'completed', 'execution_time', 'interval', 'schedule', 'attempt', 'retries', 'crashes', 'retry_of',
    'stopping', 'error',
)  # fmt: skip
#: How much of an error an export has; spreadsheets take no more than 32,767 characters.
LONGEST = 30_000

# What makes a spreadsheet take a text for a formula; also the full-width signs, and behind blanks.
_FORMULA = re.compile('\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]')


def safe_cell(value: Any) -> str:
    """Return a value as a cell: without control characters, and never a formula, which a leading apostrophe prevents.

    Numbers stay as they are, also negative ones.
    """
    if value is None:
        return ''
    if not isinstance(value, str):
        return str(value)
    text = formatting.cut(value, LONGEST)
    return f"'{text}" if _FORMULA.match(value) or _FORMULA.match(text) else text


def as_csv(jobs: JobQuerySet, visible: Callable[[Job], bool] = lambda job: True, most: int = MOST) -> Iterator[str]:
    """Yield the jobs as CSV: a line of titles, and a line for each job, all cells quoted.

    Args:
        jobs: The jobs, in the order of the export.
        visible: Whether the user may see a job.
        most: How many jobs at most.
    """
    yield _line(COLUMNS)
    for found in _documents(jobs, visible, most):
        yield _line([safe_cell(found[name]) for name in COLUMNS])


def as_json(jobs: JobQuerySet, visible: Callable[[Job], bool] = lambda job: True, most: int = MOST) -> Iterator[str]:
    """Yield the jobs as one JSON list of documents; see `as_csv()` for the arguments."""
    yield '['
    for number, found in enumerate(_documents(jobs, visible, most)):
        yield f'{"," if number else ""}\n{json.dumps(found)}'
    yield '\n]\n'


def _line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow(cells)
    return line.getvalue()


def _documents(jobs: JobQuerySet, visible: Callable[[Job], bool], most: int) -> Iterator[Document]:
    # First the keys, in the order of the list: no transaction stays open while a slow reader takes the rest, and no
    # cursor on the server, which PgBouncer would lose.
    keys = list(jobs.values_list('pk', flat=True)[:most])
    rows = Job.objects.using(jobs.db).select_related('object_type').annotate(error_read=Left('error', LONGEST))
    rows = rows.defer('arguments', 'arguments_shown', 'data', 'error')
    for begin in range(0, len(keys), BATCH):
        batch = keys[begin : begin + BATCH]
        found = rows.in_bulk(batch)
        there = [found[key] for key in batch if key in found and visible(found[key])]
        users = {key: user.get_username() for key, user in related.users_of(there).items()}
        progress = related.progress_of(there)
        for job in there:
            job.error = job.error_read
            yield document(job, users.get(job.user_id), progress.get(job.pk))

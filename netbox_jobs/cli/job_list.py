"""`jobs list`."""

from argparse import Namespace

from ..models import Job, database
from ..models.querysets import JobQuerySet
from ..monitoring import export, related, searched
from . import documents, lookup, tables
from .exits import SUCCESS
from .screen import Screen

#: How many jobs a search compares at most, and how many with its words it has: a terminal may wait longer than a page.
_COMPARED, _HITS = 100_000, 10_000


def list_jobs(screen: Screen, options: Namespace) -> int:
    """`jobs list`."""
    rows = Job.objects.using(database()).select_related('object_type').defer('arguments', 'data')
    if options.status:
        rows = rows.filter(status__in=options.status)
    if options.runner:
        rows = rows.filter(runner=lookup.runner_path(options.runner))
    if options.queue:
        rows = rows.filter(queue_name=lookup.queue(options.queue))
    if options.user:
        rows = rows.filter(user_id=lookup.user(options.user).pk)
    if options.instance:
        object_type, object_id = lookup.instance_type(options.instance)
        rows = rows.filter(object_type=object_type, object_id=object_id)
    if options.since:
        rows = rows.filter(created__gte=lookup.since(options.since))
    if options.search:
        rows = _search(screen, rows, options)
    rows = rows.order_by('-created', '-pk')
    if options.json or options.csv:
        write = export.as_csv if options.csv else export.as_json
        screen.pieces(write(rows, most=options.limit))
        return SUCCESS
    found = list(rows[: options.limit])
    related.attach_objects(found)
    listed = tables.jobs(found, documents.usernames(found), related.progress_of(found))
    screen.table(listed, 'No jobs match.' if _filtered(options) else 'There are no jobs.')
    return SUCCESS


def _search(screen: Screen, rows: JobQuerySet, options: Namespace) -> JobQuerySet:
    """Return the jobs with the words of `--search`, and say if others remain to be compared."""
    given = {'status': options.status[0]} if options.status and len(options.status) == 1 else {}
    if options.instance:
        object_type, object_id = lookup.instance_type(options.instance)
        given['about'] = f'{object_type.pk}:{object_id}'
    hits = min(max(options.limit, searched.HITS), _HITS)
    found = searched.find(rows, options.search, given, arguments=True, compared=_COMPARED, hits=hits)
    if found.earlier is not None:
        term = found.earlier_term(options.search)
        screen.notice(f"Earlier jobs were not compared. To search on: --search '{term}'")
    return found.jobs


def _filtered(options: Namespace) -> bool:
    names = ('status', 'runner', 'queue', 'user', 'instance', 'since', 'search')
    return any(getattr(options, name) for name in names)

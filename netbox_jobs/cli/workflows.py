"""The command about workflows."""

from argparse import Namespace
from typing import Any

from ..core import formatting
from ..core.formatting import iso
from ..exceptions import NetBoxJobsError
from ..models import Workflow, database
from ..monitoring import workflows
from . import confirm, documents
from .exits import FAILURE, SUCCESS, usage_error
from .screen import Cell, Column, Screen, Table


def workflow(screen: Screen, options: Namespace) -> int:
    """`jobs workflow`."""
    if not options.id:
        return _list(screen, options)
    found = _find(options.id)
    if options.cancel:
        return _cancel(screen, options, found)
    if options.retry:
        return _retry(screen, options, found)
    return _show(screen, options, found)


def _find(text: str) -> Workflow:
    if not (text.isascii() and text.isdigit()):
        raise usage_error(f'{text!r} is not the ID of a workflow; expected a number as "jobs workflow" shows it.')
    found = Workflow.objects.using(database()).filter(pk=int(text)).first()
    if found is None:
        raise usage_error(f'There is no workflow {text}. List the workflows with "jobs workflow".')
    return found


def _list(screen: Screen, options: Namespace) -> int:
    if options.cancel or options.retry:
        raise usage_error('Name the ID of a workflow to cancel or retry it.')
    using = database()
    found = list(Workflow.objects.using(using).order_by('-created', '-pk')[:50])
    counts = workflows.counts(found, using)
    if options.json:
        screen.json([_document(row, counts[row.pk]) for row in found])
        return SUCCESS
    columns = (Column('id', right=True), Column('status'), Column('name', flexible=True), Column('done', right=True))
    table = Table((*columns, Column('created')))
    for row in found:
        done = f'{formatting.number(counts[row.pk].done)}/{formatting.number(counts[row.pk].total)}'
        cells = (str(row.pk), formatting.status(row.status), row.name, done, formatting.moment(row.created))
        table.rows.append([Cell(text, row.status if place == 1 else '') for place, text in enumerate(cells)])
    screen.table(table, 'There are no workflows.')
    return SUCCESS


def _show(screen: Screen, options: Namespace, found: Workflow) -> int:
    state = workflows.state_of(found)
    if options.json:
        members = [_member(member) for member in (*state.members, *state.callbacks)]
        screen.json({**_document(found, state.counts), 'members': members})
        return SUCCESS
    numbers = ', '.join(f'{formatting.number(number)} {name}' for name, number in workflows.in_words(state.counts))
    total = formatting.number(state.counts.total)
    given = [
        ('status', Cell(formatting.status(found.status), found.status)),
        (
            'done',
            Cell(f'{formatting.percent(state.counts.percent)} of {total} jobs{f": {numbers}" if numbers else ""}'),
        ),
        ('user', Cell(documents.usernames([found]).get(found.user_id, ''))),
        ('created', Cell(formatting.exact_moment(found.created))),
        ('deadline', Cell(formatting.exact_moment(found.deadline) if found.deadline else '')),
        ('completed', Cell(formatting.exact_moment(found.completed) if found.completed else '')),
        ('error', Cell(found.error, found.status)),
    ]
    screen.fields(f'Workflow {found.pk}: {found.name}', [(name, cell) for name, cell in given if cell.text])
    table = Table(
        (Column('id', right=True), Column('status'), Column('name', flexible=True), Column('after', flexible=True))
    )
    for member in (*state.members, *state.callbacks):
        after = ', '.join([*member.after, *(f'failure of {name}' for name in member.on_failure_of)])
        cells = (
            str(member.job or '-'),
            formatting.status(member.status),
            '  ' * member.level + member.name,
            after or '-',
        )
        table.rows.append([Cell(text, member.status if place == 1 else '') for place, text in enumerate(cells)])
    if table.rows:
        screen.heading('Jobs')
        screen.table(table, '')
    if (more := state.counts.total - len(state.members)) > 0:
        screen.notice(f'and {formatting.number(more)} more jobs.')
    return SUCCESS


def _cancel(screen: Screen, options: Namespace, found: Workflow) -> int:
    refused = confirm.ask(screen, options.answers, f'Cancel workflow {found.pk} "{found.name}"?', yes=options.yes)
    if refused is not None:
        return refused
    if not found.cancel():
        screen.notice(f'Workflow {found.pk} ({found.name}) has ended, or is being canceled already.')
        return FAILURE
    screen.line(f'Workflow {found.pk} ({found.name}) is {"canceled" if found.ended else "being canceled"}.')
    return SUCCESS


def _retry(screen: Screen, options: Namespace, found: Workflow) -> int:
    try:
        made = found.retry()
    except (ValueError, TypeError, NetBoxJobsError) as error:
        screen.notice(f'Workflow {found.pk} ({found.name}) was not retried: {error}')
        return FAILURE
    screen.line(f'Workflow {found.pk} ({found.name}): {formatting.number(len(made))} jobs are enqueued again.')
    return SUCCESS


def _document(row: Workflow, counts: Any) -> documents.Document:
    names = ('total', 'done', 'waiting', 'running', 'completed', 'failed', 'errored', 'canceled', 'skipped', 'deleted')
    return {
        'id': row.pk,
        'name': row.name,
        'status': row.status,
        'created': iso(row.created),
        'deadline': iso(row.deadline),
        'completed': iso(row.completed),
        'error': row.error,
        'counts': {name: getattr(counts, name) for name in names},
    }


def _member(member: workflows.MemberState) -> documents.Document:
    return {
        'name': member.name,
        'job': member.job,
        'status': member.status,
        'callback': member.role or None,
        'after': member.after,
        'on_failure_of': member.on_failure_of,
    }

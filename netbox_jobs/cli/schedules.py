"""The commands about schedules."""

from argparse import Namespace

from ..core import formatting
from ..models import Schedule, database
from ..monitoring import related
from ..monitoring.schedules import schedule_states
from . import confirm, documents, lookup, tables
from .exits import FAILURE, SUCCESS, usage_error
from .screen import Screen


def list_schedules(screen: Screen, options: Namespace) -> int:
    """`jobs schedules`."""
    rows = Schedule.objects.using(database()).select_related('object_type').order_by('name', 'pk')
    found = schedule_states(rows)
    if options.json:
        users = documents.usernames(state.schedule for state in found)
        screen.json([documents.schedule(state, users.get(state.schedule.user_id)) for state in found])
        return SUCCESS
    related.attach_objects([state.schedule for state in found])
    screen.table(tables.schedules(found), 'There are no schedules.')
    for state in found:
        if state.schedule.suspended:
            screen.notice(f'{_named(state.schedule)} is suspended: {state.schedule.suspended}')
    return SUCCESS


def pause(screen: Screen, options: Namespace) -> int:
    """`jobs schedules pause`."""
    for row in lookup.schedules(options.ids):
        new = row.pause()
        screen.result(row.pk, f'{_named(row)} is {"" if new else "already "}paused.')
    return SUCCESS


def resume(screen: Screen, options: Namespace) -> int:
    """`jobs schedules resume`."""
    for row in lookup.schedules(options.ids):
        resumed = row.resume()
        screen.result(row.pk, f'{_named(row)} {"is resumed" if resumed else "was not paused"}.')
    return SUCCESS


def run_now(screen: Screen, options: Namespace) -> int:
    """`jobs schedules run-now`."""
    code = SUCCESS
    for row in lookup.schedules(options.ids):
        job = row.run_now()
        if job is not None:
            screen.result(row.pk, f'{_named(row)}: job {job.pk} starts now.')
        else:
            running = row.current_job()
            why = f'job {running.pk} is running' if running else f'the schedule is suspended: {row.suspended}'
            screen.result(row.pk, f'{_named(row)} has no waiting job: {why}.', done=False)
            code = FAILURE
    return code


def end(screen: Screen, options: Namespace) -> int:
    """`jobs schedules end`."""
    found = lookup.schedules(options.ids)
    question = f'End the schedule {found[0].pk} "{found[0].name}"?'
    listed = []
    if len(found) > 1:
        question = f'End {len(found)} schedules?'
        listed = [f'{row.pk} "{row.name}", {_recurrence(row)}' for row in found]
    refused = confirm.ask(screen, options.answers, question, listed, yes=options.yes)
    if refused is not None:
        return refused
    for row in found:
        key, name = row.pk, _named(row)  # ending it deletes the row, and with it the key
        row.end()
        screen.result(key, f'{name} has ended.')
    return SUCCESS


def change(screen: Screen, options: Namespace) -> int:
    """`jobs schedules change`."""
    row = lookup.schedule(options.id)
    if options.timezone and not options.cron:
        raise usage_error('--timezone is given without --cron; an interval has no time zone.')
    try:
        row.change(interval=options.interval, cron=options.cron, timezone=options.timezone)
    except ValueError as error:
        raise usage_error(str(error)) from error
    when = formatting.full_moment(row.next_run)
    screen.result(row.pk, f'{_named(row)} now recurs {_recurrence(row)}{f"; next run: {when}" if when else ""}.')
    return SUCCESS


def _named(row: Schedule) -> str:
    return f'Schedule {row.pk} ({row.name})'


def _recurrence(row: Schedule) -> str:
    return formatting.recurrence(row.interval, row.cron, row.time_zone)

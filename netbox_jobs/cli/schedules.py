"""The commands about schedules."""

from argparse import Namespace

from ..models import Schedule, database
from ..monitoring import overview
from . import asking, lookup, shapes, tables, times
from .exits import DONE, UNDONE, wrong
from .screen import Screen


def list_schedules(screen: Screen, options: Namespace) -> int:
    """`jobs schedules`."""
    using = database()
    found = list(Schedule.objects.using(using).select_related('object_type').order_by('name', 'pk'))
    states = {state.schedule.pk: state for state in overview.schedule_states(Schedule.objects.all())}
    waiting = {key: state.next for key, state in states.items() if state.next is not None}
    last = {key: state.last for key, state in states.items() if state.last is not None}
    if options.json:
        users = shapes.usernames(found)
        screen.json([shapes.schedule(r, users.get(r.user_id), waiting.get(r.pk), last.get(r.pk)) for r in found])
    else:
        screen.table(tables.schedules(found, waiting, last), 'No schedules.')
        for row in found:
            if row.suspended:
                screen.notice(f'Schedule {row.pk} ({row.name}) is suspended: {row.suspended}')
    return DONE


def pause(screen: Screen, options: Namespace) -> int:
    """`jobs schedules pause`."""
    for row in lookup.schedules(options.ids):
        new = row.pause()
        screen.line(f'Schedule {row.pk} ({row.name}) is paused{"" if new else " already"}.')
    return DONE


def resume(screen: Screen, options: Namespace) -> int:
    """`jobs schedules resume`."""
    for row in lookup.schedules(options.ids):
        resumed = row.resume()
        screen.line(f'Schedule {row.pk} ({row.name}) {"goes on" if resumed else "was not paused"}.')
    return DONE


def run_now(screen: Screen, options: Namespace) -> int:
    """`jobs schedules run-now`."""
    code = DONE
    for row in lookup.schedules(options.ids):
        job = row.run_now()
        if job is not None:
            screen.line(f'Schedule {row.pk} ({row.name}): job {job.pk} begins now.')
        else:
            running = row.current_job()
            why = f'job {running.pk} of it runs just now' if running else f'it is suspended: {row.suspended}'
            screen.notice(f'Schedule {row.pk} ({row.name}): none of its jobs waits; {why}.')
            code = UNDONE
    return code


def end(screen: Screen, options: Namespace) -> int:
    """`jobs schedules end`."""
    found = lookup.schedules(options.ids)
    question = f'End {"this schedule" if len(found) == 1 else f"these {len(found)} schedules"}?'
    about = [f'{row.pk} {row.name} ({row.recurrence})' for row in found]
    refused = asking.confirmed(screen, options.answers, question, about, yes=options.yes)
    if refused is not None:
        return refused
    for row in found:
        number = row.pk
        row.end()
        screen.line(f'Schedule {number} ({row.name}) has ended.')
    return DONE


def change(screen: Screen, options: Namespace) -> int:
    """`jobs schedules change`."""
    row = lookup.schedule(options.id)
    if options.timezone and not options.cron:
        raise wrong('--timezone goes with --cron; an interval has none.')
    try:
        row.change(interval=options.interval, cron=options.cron, timezone=options.timezone)
    except ValueError as error:
        raise wrong(str(error)) from error
    when = times.local(row.next_run) if row.next_run else ''
    screen.line(f'Schedule {row.pk} ({row.name}) recurs: {row.recurrence}{f"; next: {when}" if when else ""}.')
    return DONE

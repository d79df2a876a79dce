"""What may be typed after `manage.py jobs`."""

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable
from typing import Any

from django.core.management.base import DjangoHelpFormatter

from ..choices import JobStatusChoices
from . import exits, jobs, queues, schedules, upkeep

_LEVELS = ('debug', 'info', 'warning', 'error', 'critical')


class HelpFormatter(RawDescriptionHelpFormatter, DjangoHelpFormatter):
    """Keeps the lines of the exit codes."""


def build(parser: ArgumentParser) -> None:
    """Add all commands to the parser of `manage.py jobs`."""
    commands = parser.add_subparsers(dest='subcommand', required=True, metavar='COMMAND')

    def add(name: str, perform: Callable[..., int], says: str, *, to: Any = commands, json: bool = False) -> Any:
        added = to.add_parser(name, help=f'{says[0].lower()}{says[1:]}', description=f'{says}.')
        added.set_defaults(perform=perform)
        if json:
            added.add_argument('--json', action='store_true', help='JSON for scripts; its keys are in the README')
        return added

    _about_jobs(add)
    _about_queues(add)
    _about_schedules(add)
    tidy = add('prune', upkeep.prune, 'Delete jobs that ended long ago, with their logs; workers do so too')
    tidy.add_argument('--days', type=int, help='keep this many days (default: JOB_RETENTION)')
    _asks(tidy)
    fix = add(
        'repair', upkeep.repair, 'Compare jobs with RQ and with the workers, and mend what disagrees; workers do so too'
    )
    fix.add_argument('--dry-run', action='store_true', help='say what would be done, and do nothing')


def _about_jobs(add: Callable[..., Any]) -> None:
    listing = add('list', jobs.list_jobs, 'List jobs, the newest first', json=True)
    listing.add_argument('--status', action='append', choices=JobStatusChoices.values(), help='may be given again')
    listing.add_argument('--runner', help='a path, or the name in Meta')
    listing.add_argument('--queue')
    listing.add_argument('--user', help='a user name')
    listing.add_argument('--instance', metavar='APP.MODEL:PK', help='about this object')
    listing.add_argument('--since', metavar='WHEN', help='created since: 30m, 2h, 7d ago, or a date')
    listing.add_argument('--limit', type=_from_one, default=50, metavar='N', help='at most so many (default: 50)')
    _id(add('show', jobs.show, 'Show all about a job', json=True))
    reading = _id(add('log', jobs.log, "Show a job's log", json=True))
    reading.add_argument('--follow', '-f', action='store_true', help='go on until the job has ended')
    reading.add_argument('--level', choices=_LEVELS, default='debug', help='leave out what is less than that')
    _asks(_ids(add('cancel', jobs.cancel, 'Cancel jobs that wait: they never run')))
    _asks(_ids(add('stop', jobs.stop, 'End jobs that run, with all they have started; cancel those that wait')))
    _ids(add('retry', jobs.retry, 'Enqueue jobs that have ended once more, with the same arguments', json=True))
    running = add('run', jobs.run, 'Enqueue a job', json=True)
    running.epilog, running.formatter_class = exits.EXPLAINED, HelpFormatter
    running.add_argument('runner', metavar='RUNNER', help='the path of a JobRunner, or the name in its Meta')
    running.add_argument(
        '--arg',
        action='append',
        default=[],
        metavar='K=V',
        help='an argument of run(): JSON, else text; may be given again',
    )
    running.add_argument('--instance', metavar='APP.MODEL:PK', help='the object that it is about')
    running.add_argument('--queue')
    running.add_argument('--user', help='the name of the user it is done for')
    running.add_argument(
        '--wait', action='store_true', help='show progress and log until it has ended; the exit code tells how'
    )


def _about_queues(add: Callable[..., Any]) -> None:
    add('queues', queues.list_queues, 'Show what waits, runs and failed in each queue, and who serves it', json=True)
    for name, perform, says in (
        ('pause', queues.pause, 'Have workers leave queues alone: what runs goes on, what is enqueued waits'),
        ('resume', queues.resume, 'Go on with paused queues'),
    ):
        add(name, perform, says).add_argument('queues', nargs='+', metavar='QUEUE')
    add('workers', queues.list_workers, 'Show the workers, and what each does now', json=True)


def _about_schedules(add: Callable[..., Any]) -> None:
    parser = add('schedules', schedules.list_schedules, 'List what recurs, or change it', json=True)
    actions = parser.add_subparsers(dest='action', metavar='ACTION')
    _ids(add('pause', schedules.pause, 'Let nothing more of them begin', to=actions))
    _ids(add('resume', schedules.resume, 'Go on with paused ones', to=actions))
    _ids(add('run-now', schedules.run_now, 'Have what waits begin now', to=actions))
    _asks(_ids(add('end', schedules.end, 'End them: what waits is deleted, what runs finishes', to=actions)))
    changing = _id(add('change', schedules.change, 'Have one recur otherwise', to=actions))
    when = changing.add_mutually_exclusive_group(required=True)
    when.add_argument('--interval', type=int, metavar='MINUTES')
    when.add_argument('--cron', metavar='EXPRESSION', help="five fields, such as '0 3 * * 1-5'")
    changing.add_argument('--timezone', metavar='NAME', help='of --cron (default: that of the project)')


def _id(parser: Any) -> Any:
    parser.add_argument('id', metavar='ID')
    return parser


def _ids(parser: Any) -> Any:
    parser.add_argument('ids', nargs='+', metavar='ID')
    return parser


def _asks(parser: Any) -> Any:
    parser.add_argument('--yes', '-y', action='store_true', help='do not ask')
    return parser


def _from_one(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f'{text!r} is no whole number from 1')
    return int(text)

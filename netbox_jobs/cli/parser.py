"""The parser of `manage.py jobs`."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.management.base import DjangoHelpFormatter

from ..choices import JobStatusChoices
from ..models import AuditEntry
from ..monitoring.log_lines import LEVELS
from ..monitoring.performance import PERIODS
from . import (
    arguments,
    audit,
    completion,
    errors,
    exits,
    health,
    job_list,
    jobs,
    maintenance,
    performance,
    queues,
    schedules,
    signals,
    stack,
    top,
    workflows,
)


class HelpFormatter(RawDescriptionHelpFormatter, DjangoHelpFormatter):
    """Django's formatter, which keeps the line breaks of the exit codes."""


def build(parser: ArgumentParser) -> None:
    """Add all commands to the parser of `manage.py jobs`."""
    commands = parser.add_subparsers(dest='subcommand', required=True, metavar='COMMAND')
    shared = arguments.of_django()

    def add(
        name: str,
        perform: Callable[..., int],
        description: str,
        *,
        to: Any = commands,
        json: bool = False,
        results: bool = False,
    ) -> Any:
        brief = f'{description[0].lower()}{description[1:]}'.replace('%', '%%')  # argparse formats it, the other not
        added = to.add_parser(name, help=brief, description=f'{description}.', parents=[shared])
        added.set_defaults(perform=perform, results=results)
        if json or results:
            added.add_argument('--json', action='store_true', help='write JSON for scripts')
        return added

    _about_now(add)
    _about_jobs(add)
    _about_run(add)
    _about_errors(add)
    _about_queues(add)
    _about_schedules(add)
    _about_workflows(add)
    _about_health(add)
    _about_audit(add)
    completing = add(
        'completion', partial(completion.write, parser), 'Write a script that completes these commands in a shell'
    )
    completing.add_argument('shell', choices=completion.SHELLS)
    _about_maintenance(add)


def _about_jobs(add: Callable[..., Any]) -> None:
    listing = add('list', job_list.list_jobs, 'List jobs, the newest first', json=True)
    listing.add_argument(
        '--status', action='append', type=str.lower, choices=JobStatusChoices.values(), help='may be repeated'
    )
    listing.add_argument('--runner', help='the dotted path of a JobRunner, or its Meta.name')
    listing.add_argument('--queue', help='the full name of a queue')
    listing.add_argument('--user', help='a user name')
    listing.add_argument('--instance', metavar='APP.MODEL:PK', help='jobs of this object')
    listing.add_argument('--since', metavar='WHEN', help='jobs created since then: 30m, 2h or 7d ago, or a date')
    listing.add_argument(
        '--search',
        metavar='WORDS',
        help='a number, an ID, or words of the name, the runner or the error, among the newest 100,000 jobs; '
        'error:WORD, object:WORD and argument:WORD search one of them alone; before:ID searches the jobs before it',
    )
    listing.add_argument('--csv', action='store_true', help='write CSV for spreadsheets')
    listing.add_argument(
        '--limit', type=arguments.from_one, default=50, metavar='N', help='list at most N jobs (default: 50)'
    )
    arguments.one_id(add('show', jobs.show, 'Show the details of a job', json=True))
    reading = arguments.one_id(add('log', jobs.log, "Show a job's log", json=True))
    reading.add_argument('--follow', '-f', action='store_true', help='follow the log until the job has ended')
    reading.add_argument('--level', choices=LEVELS, default='debug', help='omit lines below this level')
    looking = arguments.one_id(add('stack', stack.show, 'Show at which line of code a running job is', json=True))
    looking.add_argument(
        '--wait', type=arguments.from_one, default=20, metavar='SECONDS', help='wait at most this long (default: 20)'
    )
    arguments.confirmed(
        arguments.chosen(add('cancel', jobs.cancel, 'Cancel waiting jobs, which then never run', results=True))
    )
    arguments.confirmed(
        arguments.ids(
            add(
                'stop',
                jobs.stop,
                'Stop running jobs, with all processes that they started; cancel waiting ones',
                results=True,
            )
        )
    )
    arguments.confirmed(
        arguments.chosen(add('retry', jobs.retry, 'Enqueue ended jobs again, with the same arguments', json=True))
    )
    signaling = arguments.one_id(
        add('signal', signals.send, 'Send a signal to a job, which waits for it, or will', results=True)
    )
    signaling.add_argument('name', metavar='NAME', help='the name of the signal')
    signaling.add_argument('--payload', metavar='VALUE', help='what the job receives, as JSON or text')


def _about_run(add: Callable[..., Any]) -> None:
    running = add('run', jobs.run, 'Enqueue a job', json=True)
    running.epilog, running.formatter_class = exits.EXPLAINED, HelpFormatter
    running.add_argument('runner', metavar='RUNNER', help='the dotted path of a JobRunner, or its Meta.name')
    running.add_argument(
        '--arg',
        action='append',
        default=[],
        metavar='K=V',
        help='an argument of run(), as JSON or text; may be repeated',
    )
    running.add_argument('--instance', metavar='APP.MODEL:PK', help='the object of the job')
    running.add_argument('--queue', help='the full name of a queue (default: that of the runner)')
    running.add_argument('--priority', type=int, metavar='N', help='0 to 9 within the queue; more is sooner')
    running.add_argument('--user', help='the name of the user of the job')
    running.add_argument(
        '--wait',
        action='store_true',
        help='show progress and log until the job has ended; the exit code tells the outcome',
    )


def _about_errors(add: Callable[..., Any]) -> None:
    listing = add('errors', errors.list_errors, 'List errors by their cause, the most frequent first', json=True)
    listing.add_argument(
        '--since', metavar='WHEN', default='1d', help='30m, 2h or 7d ago, a date, or "release" (default: 1d)'
    )
    listing.add_argument('--runner', help='the dotted path of a JobRunner, or its Meta.name')
    listing.add_argument('--queue', help='the full name of a queue')
    for name, perform, description in (
        ('mute', errors.mute, 'Mute errors: lists show them last'),
        ('unmute', errors.unmute, 'Unmute errors'),
    ):
        parser = add(name, perform, description, results=True)
        parser.add_argument('errors', nargs='+', metavar='FINGERPRINT', help='of an error, as "jobs errors" shows it')
    arguments.one_id(add('why', errors.why, 'Say in one sentence why a job waits, or how it ended', json=True))


def _about_queues(add: Callable[..., Any]) -> None:
    add('queues', queues.list_queues, 'Show waiting, running and failed jobs and workers of each queue', json=True)
    for name, perform, description in (
        ('pause', queues.pause, 'Pause queues: running jobs finish, other jobs wait'),
        ('resume', queues.resume, 'Resume paused queues'),
        ('drain', queues.drain, 'Pause queues, and wait until none of their jobs runs'),
    ):
        parser = add(name, perform, description, results=True)
        parser.add_argument('queues', nargs='*', metavar='QUEUE', help='the full name of a queue')
        parser.add_argument('--all', action='store_true', help=f'{name} all queues')
        if name == 'drain':
            parser.add_argument(
                '--timeout',
                type=arguments.from_one,
                default=3600,
                metavar='SECONDS',
                help='wait at most this long (default: 3600)',
            )
    limiting = add('limit', queues.limit, 'Set how many jobs of a queue run at once, from now on', results=True)
    limiting.add_argument('queue', metavar='QUEUE', help='the full name of a queue')
    limiting.add_argument('number', metavar='NUMBER', help="a number, 'none', or 'settings' for what the settings say")
    timing = add(
        'performance', performance.show, 'Show how long jobs wait and run: half, 95 %, 99 % of them', json=True
    )
    timing.add_argument('--period', choices=PERIODS, default='24h', help='the latest hour, day or week (default: 24h)')
    timing.add_argument('--queues', action='store_true', help='by queue, instead of by runner')
    working = add('workers', queues.list_workers, 'Show the workers and the jobs that they run', json=True)
    leaving = add(
        'leave',
        queues.leave,
        'Tell workers to finish what they run, and to end',
        to=working.add_subparsers(dest='action', metavar='ACTION'),
        results=True,
    )
    leaving.add_argument('names', nargs='*', metavar='NAME', help='the name of a worker, as "jobs workers" shows it')
    leaving.add_argument('--all', action='store_true', help='tell all workers')


def _about_now(add: Callable[..., Any]) -> None:
    showing = add(
        'top', top.show, 'Show queues, running jobs and errors live, with keys to stop, retry and pause', json=True
    )
    showing.add_argument(
        '--every', type=arguments.seconds, default=2.0, metavar='SECONDS', help='look this often (default: 2)'
    )


def _about_health(add: Callable[..., Any]) -> None:
    checking = add('health', health.health, 'Check the database, the tables and Redis, for containers', json=True)
    checking.add_argument('--redis', action='store_true', help='end with 1 if Redis does not answer')
    checking.add_argument('--worker', action='store_true', help='also check that a worker of this host lives')
    checking.add_argument(
        '--queue', action='append', metavar='QUEUE', help='also check that a live worker serves it; may be repeated'
    )
    add('doctor', health.diagnose, 'Find out what is wrong with this installation, and what to do', json=True)


def _about_audit(add: Callable[..., Any]) -> None:
    listing = add('audit', audit.list_entries, 'List who did what, the newest first', json=True)
    actions = [name for name, _label in AuditEntry.ACTIONS]
    listing.add_argument('--action', choices=actions, metavar='ACTION', help=f'one of {", ".join(actions)}')
    listing.add_argument('--user', help='a user name')
    for kind, what in (('job', 'the number of a job'), ('schedule', 'the number of a schedule'), ('queue', 'a queue')):
        listing.add_argument(f'--{kind}', help=f'actions on one: {what}')
    listing.add_argument('--since', metavar='WHEN', help='30m, 2h or 7d ago, or a date')
    listing.add_argument(
        '--limit', type=arguments.from_one, default=50, metavar='N', help='list at most N (default: 50)'
    )


def _about_schedules(add: Callable[..., Any]) -> None:
    parser = add('schedules', schedules.list_schedules, 'List schedules, or change them', json=True)
    actions = parser.add_subparsers(dest='action', metavar='ACTION')
    arguments.ids(
        add('pause', schedules.pause, 'Pause schedules: no further occurrences start', to=actions, results=True),
        arguments.SCHEDULE,
    )
    arguments.ids(
        add('resume', schedules.resume, 'Resume paused or suspended schedules', to=actions, results=True),
        arguments.SCHEDULE,
    )
    arguments.ids(
        add('run-now', schedules.run_now, 'Start the waiting occurrence now', to=actions, results=True),
        arguments.SCHEDULE,
    )
    arguments.confirmed(
        arguments.ids(
            add(
                'end',
                schedules.end,
                'End schedules: waiting jobs are deleted, running jobs finish',
                to=actions,
                results=True,
            ),
            arguments.SCHEDULE,
        )
    )
    changing = arguments.one_id(
        add('change', schedules.change, 'Change how a schedule recurs', to=actions, results=True), arguments.SCHEDULE
    )
    when = changing.add_mutually_exclusive_group(required=True)
    when.add_argument('--interval', type=int, metavar='MINUTES', help='minutes between runs')
    when.add_argument('--cron', metavar='EXPRESSION', help="five fields, such as '0 3 * * 1-5'")
    changing.add_argument('--timezone', metavar='NAME', help='time zone of --cron (default: TIME_ZONE)')


def _about_workflows(add: Callable[..., Any]) -> None:
    parser = add(
        'workflow', workflows.workflow, 'Show a workflow with its jobs; without an ID, list workflows', json=True
    )
    parser.add_argument('id', nargs='?', metavar='ID', help='the number of a workflow')
    action = parser.add_mutually_exclusive_group()
    action.add_argument('--cancel', action='store_true', help='cancel the jobs that wait, stop those that run')
    action.add_argument('--retry', action='store_true', help='enqueue again what has not completed, and what follows')
    arguments.confirmed(parser)


def _about_maintenance(add: Callable[..., Any]) -> None:
    pruning = add(
        'prune', maintenance.prune, 'Delete jobs that ended long ago, with their logs, as workers do', results=True
    )
    pruning.add_argument('--days', type=int, help='keep this many days (default: JOB_RETENTION)')
    arguments.confirmed(pruning)
    add(
        'reencrypt',
        maintenance.reencrypt,
        'Encrypt again, with the first of the keys, what another key has encrypted',
        json=True,
    )
    repairing = add(
        'repair',
        maintenance.repair,
        'Compare jobs with RQ and the workers, and repair differences, as workers do',
        results=True,
    )
    repairing.add_argument('--dry-run', action='store_true', help='show what would be repaired, and change nothing')

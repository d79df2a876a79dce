"""`manage.py jobs`: look after jobs from the command line."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ... import conf, repair
from ...recovery import prune


class Command(BaseCommand):
    """One subcommand for each thing to do."""

    help = 'Looks after background jobs.'

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(
            dest='subcommand', required=True, metavar='COMMAND', parser_class=ArgumentParser
        )
        fix = commands.add_parser(
            'repair', help='Compare the jobs with RQ and with the workers, and mend what disagrees (workers do so too).'
        )
        fix.add_argument('--dry-run', action='store_true', help='Say what would be done, and do nothing.')
        tidy = commands.add_parser('prune', help='Delete jobs that ended long ago, with their logs.')
        tidy.add_argument('--days', type=int, default=None, help='Keep this many days (default: JOB_RETENTION).')

    def handle(self, *args: Any, subcommand: str, **options: Any) -> None:
        getattr(self, f'_{subcommand}')(**options)

    def _repair(self, *, dry_run: bool, **options: Any) -> None:
        def watching(seconds: float) -> None:
            self.stdout.write(f'Watching the workers for {seconds:.0f} seconds for signs of life…')
            self.stdout.flush()

        for finding in repair.run(dry_run=dry_run, on_wait=watching, sleep=time.sleep):
            self.stdout.write(f'{finding.count:>6}  {finding.text}')
        self.stdout.write('Nothing was changed.' if dry_run else 'Done.')

    def _prune(self, *, days: int | None, **options: Any) -> None:
        if days is not None and days < 1:
            raise CommandError('--days must be 1 or more.')
        kept = conf.retention() if days is None else days
        if kept == 0:
            self.stdout.write('JOB_RETENTION is 0: all jobs are kept.')
            return
        self.stdout.write(f'{prune(kept)} jobs that ended more than {kept} days ago were deleted.')

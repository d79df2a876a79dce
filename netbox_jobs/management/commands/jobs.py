"""`manage.py jobs`: monitor and manage jobs from the command line."""

import getpass
import os
import sys
from argparse import Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import Error as DBError

from ...cli import exits, parser, screens
from ...cli.results import JSONResults
from ...core import actors


class Command(BaseCommand):
    """The command, with a subcommand for each task."""

    help = 'Monitor and manage background jobs. "COMMAND --help" shows the options of a command.'

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Add the exit codes below the commands."""
        kwargs |= {'epilog': exits.EXPLAINED, 'formatter_class': parser.HelpFormatter}
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser_: CommandParser) -> None:
        parser.build(parser_)

    def execute(self, *args: Any, **options: Any) -> Any:
        """Let `doctor` report wrong settings itself: Django's checks would end the command before it."""
        options['skip_checks'] = options['skip_checks'] or options.get('subcommand') == 'doctor'
        return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        screen = screens.choose(self.stdout, self.stderr, no_color=options['no_color'], color=options['force_color'])
        results = JSONResults(screen) if options.get('results') and options['json'] else None
        try:
            with actors.acting(name=f'command line as {_os_user()}', face=actors.COMMAND_LINE):
                code = options['perform'](results or screen, Namespace(**options, answers=sys.stdin))
            if results is not None:
                results.finish()
        except DBError as error:
            raise exits.failure(
                f'The database raised {type(error).__name__}: {str(error).rstrip(".")}. '
                'Check that it runs, and run "manage.py migrate".'
            ) from error
        except BrokenPipeError:
            # The reader has closed the pipe. Python would raise the error again when it closes its output.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = exits.SUCCESS
        except KeyboardInterrupt:
            code = exits.INTERRUPTED
        if code:
            sys.exit(code)


def _os_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # in a container, the user may have no name
        return f'user {os.getuid()}'

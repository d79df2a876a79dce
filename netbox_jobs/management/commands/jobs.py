"""`manage.py jobs`: watch and steer jobs from the command line."""

import os
import sys
from argparse import Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import Error as DBError

from ...cli import exits, parser, screens


class Command(BaseCommand):
    """One subcommand for each thing to do."""

    help = 'Watch and steer background jobs. "COMMAND --help" tells the options of a command.'

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """With the exit codes below the commands."""
        kwargs |= {'epilog': exits.EXPLAINED, 'formatter_class': parser.HelpFormatter}
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser_: CommandParser) -> None:
        parser.build(parser_)

    def handle(self, *args: Any, **options: Any) -> None:
        screen = screens.choose(self.stdout, self.stderr, no_color=options['no_color'], color=options['force_color'])
        try:
            code = options['perform'](screen, Namespace(**options, answers=sys.stdin))
        except DBError as error:
            raise exits.undone(
                f'The database does not answer as it should: {error} (did you run "migrate"?)'
            ) from error
        except BrokenPipeError:
            # Whoever read has seen enough. Python would complain once more when it closes its output.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = exits.DONE
        except KeyboardInterrupt:
            code = exits.INTERRUPTED
        if code:
            sys.exit(code)

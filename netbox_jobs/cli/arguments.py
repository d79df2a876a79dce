"""Arguments that several commands take, and the numbers among them."""

from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError
from typing import Any

from ..maintenance import bulk_action

#: What the help says about an ID.
JOB = 'the number of a job, or its job_id'
SCHEDULE = 'the number of a schedule'


def of_django() -> ArgumentParser:
    """Return the options that Django gives every command: they may stand after a command of ours as well."""
    # Left out of the result unless given, so that none overrides what stands before the command.
    parser = ArgumentParser(add_help=False, argument_default=SUPPRESS)
    for name in ('--settings', '--pythonpath'):  # Django has read these already
        parser.add_argument(name, help=SUPPRESS)
    for name in ('--traceback', '--no-color', '--force-color', '--skip-checks'):
        parser.add_argument(name, action='store_true', help=SUPPRESS)
    parser.add_argument('--verbosity', '-v', type=int, choices=range(4), help=SUPPRESS)
    return parser


def seconds(text: str) -> float:
    """Return a number of seconds, for an argument that takes no other value."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0.1 <= found <= 3600:
        raise ArgumentTypeError(f'{text!r} is not a number of seconds from 0.1 to 3600')
    return found


def from_one(text: str) -> int:
    """Return a whole number of 1 or more."""
    if not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f'{text!r} is not a whole number of 1 or more')
    return int(text)


def one_id(parser: Any, of: str = JOB) -> Any:
    """Add one ID."""
    parser.add_argument('id', metavar='ID', help=of)
    return parser


def ids(parser: Any, of: str = JOB) -> Any:
    """Add one or more IDs."""
    parser.add_argument('ids', nargs='+', metavar='ID', help=of)
    return parser


def chosen(parser: Any) -> Any:
    """Add IDs, or filters in their stead."""
    parser.add_argument('ids', nargs='*', metavar='ID', help=JOB)
    parser.add_argument(
        '--filter',
        action='append',
        default=[],
        metavar='K=V',
        help='all jobs that match, instead of IDs; may be repeated. K is one of '
        f'{", ".join(bulk_action.FILTERS)}; error takes a fingerprint, as "jobs errors" shows it',
    )
    return parser


def confirmed(parser: Any) -> Any:
    """Add `--yes`."""
    parser.add_argument(
        '--yes', '-y', action='store_true', help='confirm; required where standard input is not a terminal'
    )
    return parser

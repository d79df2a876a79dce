"""The commands that do by hand what workers do by themselves: retention and recovery."""

import time
from argparse import Namespace

from ..core import conf
from ..maintenance import repair as repairs
from ..maintenance import retention
from . import asking
from .exits import DONE, wrong
from .screen import Screen


def prune(screen: Screen, options: Namespace) -> int:
    """`jobs prune`."""
    if options.days is not None and options.days < 1:
        raise wrong('--days must be 1 or more.')
    kept = conf.retention() if options.days is None else options.days
    if kept == 0:
        screen.line('JOB_RETENTION is 0: all jobs are kept.')
        return DONE
    question = f'Delete all jobs that ended more than {kept} days ago, with their logs?'
    refused = asking.confirmed(screen, options.answers, question, yes=options.yes)
    if refused is not None:
        return refused
    screen.line(f'{retention.prune(kept)} jobs that ended more than {kept} days ago were deleted.')
    return DONE


def repair(screen: Screen, options: Namespace) -> int:
    """`jobs repair`."""

    def watching(seconds: float) -> None:
        screen.notice(f'Watching the workers for {seconds:.0f} seconds for signs of life…')

    for finding in repairs.run(dry_run=options.dry_run, on_wait=watching, sleep=time.sleep):
        screen.line(f'{finding.count:>6}  {finding.text}')
    screen.line('Nothing was changed.' if options.dry_run else 'Done.')
    return DONE

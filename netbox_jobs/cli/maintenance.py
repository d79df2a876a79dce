"""The commands that do at once what workers do regularly: retention and repair."""

import time
from argparse import Namespace
from dataclasses import asdict

from django.core.exceptions import ImproperlyConfigured

from ..core import conf, formatting
from ..maintenance import reencryption, retention
from ..maintenance import repair as repairs
from . import confirm
from .exits import FAILURE, SUCCESS, usage_error
from .screen import Screen


def prune(screen: Screen, options: Namespace) -> int:
    """`jobs prune`."""
    if options.days is not None and options.days < 1:
        raise usage_error(f'--days is {options.days}; expected 1 or more.')
    kept = conf.retention() if options.days is None else options.days
    if kept == 0:
        screen.line('JOB_RETENTION is 0: all jobs are kept.')
        return SUCCESS
    age = 'more than 1 day ago' if kept == 1 else f'more than {formatting.number(kept)} days ago'
    question = f'Delete all jobs that ended {age}, with their logs?'
    refused = confirm.ask(screen, options.answers, question, yes=options.yes)
    if refused is not None:
        return refused
    count = retention.prune(kept)
    jobs = '1 job that ended' if count == 1 else f'{formatting.number(count)} jobs that ended'
    screen.result(None, f'Deleted {jobs} {age}.', count=count)
    return SUCCESS


def reencrypt(screen: Screen, options: Namespace) -> int:
    """`jobs reencrypt`."""
    try:
        found = reencryption.reencrypt()
    except ImproperlyConfigured as error:
        raise usage_error(str(error)) from None
    if options.json:
        screen.json(asdict(found))
        return FAILURE if found.refused else SUCCESS
    screen.line(f'Jobs encrypted with the first key: {found.changed}. Jobs that had it already: {found.current}.')
    if found.running:
        screen.notice(f'{found.running} of the jobs run now and keep their key; call the command again.')
    if found.refused:
        keys = ', '.join(map(str, found.refused))
        screen.notice(f'None of the keys decrypts these jobs, or they were changed outside the app: {keys}')
    return FAILURE if found.refused else SUCCESS


def repair(screen: Screen, options: Namespace) -> int:
    """`jobs repair`."""

    def on_wait(seconds: float) -> None:
        screen.notice(f'Watching the heartbeats of the workers for {seconds:.0f} seconds…')

    for finding in repairs.run(dry_run=options.dry_run, on_wait=on_wait, sleep=time.sleep):
        screen.result(None, f'{finding.count:>6}  {finding.text}', count=finding.count)
    screen.line('Nothing was changed.' if options.dry_run else 'Done.')
    return SUCCESS

"""The commands about errors by their cause, and about one question: why?"""

from argparse import Namespace
from datetime import timedelta
from typing import Any

from django.utils import timezone

from ..choices import JobStatusChoices
from ..core import errors, formatting, reasons
from ..maintenance import bulk_action, releases
from ..models import Job, JobLogEntry, MutedError, database
from ..monitoring import errors as error_groups
from ..monitoring import waiting
from . import confirm, documents, lookup, tables
from .exits import SUCCESS, usage_error
from .screen import Screen


def list_errors(screen: Screen, options: Namespace) -> int:
    """`jobs errors`."""
    release = releases.latest() if options.since == 'release' else None
    period = timezone.now() - (release[1] if release else lookup.since(options.since))
    if period <= timedelta():
        raise usage_error(f'{options.since!r} lies in the future; expected 30m, 2h or 7d ago, or a date.')
    queue = lookup.queue(options.queue) if options.queue else ''
    runner = lookup.runner_path(options.runner) if options.runner else ''
    found = error_groups.groups(period, queue=queue, runner=runner)
    if options.json:
        screen.json([documents.error_group(group) for group in found])
    else:
        screen.table(tables.error_groups(found), f'No job ended with an error since {options.since}.')
    return SUCCESS


def mute(screen: Screen, options: Namespace) -> int:
    """`jobs mute`."""
    for fingerprint in _known(options.errors):
        muted = MutedError.mute(fingerprint)
        screen.result(
            fingerprint,
            f'The error {fingerprint} is muted.' if muted else f'The error {fingerprint} was muted already.',
        )
    return SUCCESS


def unmute(screen: Screen, options: Namespace) -> int:
    """`jobs unmute`."""
    for fingerprint in dict.fromkeys(options.errors):
        unmuted = MutedError.unmute(fingerprint)
        screen.result(
            fingerprint,
            f'The error {fingerprint} is no longer muted.' if unmuted else f'The error {fingerprint} was not muted.',
        )
    return SUCCESS


def _known(fingerprints: list[str]) -> list[str]:
    """Return the fingerprints, each once; one that no job has is a usage error."""
    for fingerprint in fingerprints:
        if error_groups.example(fingerprint) is None:
            raise usage_error(f'No job ended with the error {fingerprint!r}. List the errors with "jobs errors".')
    return list(dict.fromkeys(fingerprints))


def why(screen: Screen, options: Namespace) -> int:
    """`jobs why`."""
    job = lookup.job(options.id)
    text = _why(job)
    if options.json:
        screen.json({'id': job.pk, 'status': job.status, 'why': text})
    else:
        screen.line(f'Job {job.pk} ({job.name}): {text}')
    return SUCCESS


def _why(job: Job) -> str:
    state = formatting.status(job.status, stopping=job.stopping is not None)
    if (wait := waiting.reason(job, in_full=True)) is not None:
        return f'{state}: {reasons.in_words(wait)}'
    if job.error:
        return f'{state}: {errors.line(job.error)}'
    if job.status == JobStatusChoices.STATUS_RUNNING:
        last = JobLogEntry.objects.using(database()).filter(job_id=job.pk).order_by('-pk').first()
        said = f'; its latest log line: {formatting.first_line(last.message)}' if last else ''
        return f'{state} for {formatting.age(job.started)}{said}'
    return state


# Actions on all jobs that match


def act(screen: Screen, options: Namespace, action: str) -> int:
    """Do an action on all jobs that match `--filter`: a background job does it."""
    filters = _filters(options.filter)
    try:
        matching = bulk_action.matching(action, filters)
    except ValueError as error:
        raise usage_error(str(error)) from None
    count = matching.count()
    if not count:
        screen.notice('No jobs match.')
        return SUCCESS
    named = ', '.join(options.filter)
    refused = confirm.ask(screen, options.answers, f'{action.capitalize()} {_jobs(count)} ({named})?', yes=options.yes)
    if refused is not None:
        return refused
    acting = bulk_action.act_on_jobs(action, filters)
    if getattr(options, 'json', False):
        screen.json({'job': acting.pk, 'matched': count})
    else:
        screen.line(f'Job {acting.pk} is to {action} {_jobs(count)}. Follow it with "jobs log {acting.pk} --follow".')
    return SUCCESS


def _jobs(count: int) -> str:
    return f'{formatting.number(count)} job{"" if count == 1 else "s"}'


def _filters(pairs: list[str]) -> dict[str, Any]:
    """Return the filters of `--filter name=value`."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition('=')
        if not equals or not value:
            raise usage_error(f'{pair!r} is not a filter; expected name=value, for example --filter status=errored.')
        found[name] = _value(name, value)
    return found


def _value(name: str, value: str) -> Any:
    if name == 'status' and value not in JobStatusChoices.values():
        raise usage_error(f'{value!r} is not a status; expected one of {", ".join(JobStatusChoices.values())}.')
    if name == 'user':
        return lookup.user(value).pk
    if name == 'runner':
        return lookup.runner_path(value)
    return lookup.since(value) if bulk_action.FILTERS.get(name, '').partition('__')[2] else value

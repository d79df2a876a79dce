"""An action on all jobs that match a filter: a job of its own, with progress, that can be stopped."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from ..choices import JobStatusChoices
from ..core import actors
from ..core.actors import Actor
from ..core.text import described
from ..execution.runner import JobRunner
from ..lifecycle import audit
from ..models import Job, database

_BATCH = 200
#: How many failures the result lists.
_LISTED = 20

#: The names of filters, and the lookups of `Job` that they stand for.
FILTERS = {
    'status': 'status',
    'runner': 'runner',
    'queue': 'queue_name',
    'error': 'fingerprint',
    'user': 'user_id',
    'created_from': 'created__gte',
    'created_before': 'created__lt',
    'ended_from': 'completed__gte',
}
#: From which statuses each action changes a job.
ACTIONS: dict[str, tuple[str, ...]] = {
    'retry': JobStatusChoices.TERMINAL_STATE_CHOICES,
    'cancel': JobStatusChoices.WAITING_STATE_CHOICES,
    'stop': JobStatusChoices.ENQUEUED_STATE_CHOICES,
    'delete': tuple(JobStatusChoices.values()),
}
_PERFORM: dict[str, Callable[[Job], Any]] = {
    'retry': lambda job: job.retry(),
    'cancel': lambda job: job.cancel(),
    'stop': lambda job: job.stop(),
    'delete': lambda job: job.delete() or True,
}


def matching(action: str, filters: Mapping[str, Any]) -> 'QuerySet[Job]':
    """Return the jobs that an action would change: they match all filters, and their status allows the action.

    A retry leaves out the jobs that have been retried already.

    Args:
        action: 'retry', 'cancel', 'stop' or 'delete'.
        filters: Values by the names of `FILTERS`.

    Raises:
        ValueError: There is no such action or filter; the message lists the known ones.
    """
    if action not in ACTIONS:
        raise ValueError(f'{action!r} is not an action on jobs; expected one of {", ".join(ACTIONS)}.')
    for name in filters:
        if name not in FILTERS:
            raise ValueError(f'{name!r} is not a filter of jobs; expected one of {", ".join(FILTERS)}.')
    jobs = Job.objects.using(database())
    found = jobs.filter(status__in=ACTIONS[action], **{FILTERS[name]: value for name, value in filters.items()})
    return found.exclude(Exists(jobs.filter(retry_of=OuterRef('pk')))) if action == 'retry' else found


def act_on_jobs(action: str, filters: Mapping[str, Any], user: Any = None) -> Job:
    """Enqueue the job that does an action on all jobs that match now; see `matching()`.

    Raises:
        ValueError: There is no such action or filter, or no filter was given.
    """
    if not filters:
        raise ValueError('Name at least one filter, so that the action is not on all jobs.')
    newest = matching(action, filters).order_by('-pk').values_list('pk', flat=True).first()
    name = f'{action.capitalize()} jobs'
    given: dict[str, Any] = {'action': action, 'filters': dict(filters), 'until': newest or 0}
    if (actor := actors.current(user)) is not None:
        given['actor'] = actor.as_arguments()
    return ActOnJobs.enqueue(**given, name=name, user=user)


class ActOnJobs(JobRunner):
    """Do an action on all jobs that match; `job.data` says how many it changed."""

    class Meta:
        name = 'Act on jobs'
        stop_grace = 5

    def run(self, action: str, filters: dict[str, Any], until: int, actor: dict[str, Any] | None = None) -> None:
        """Change one job after the other, each in a transaction of its own; a stop keeps what is done.

        Args:
            action: See `matching()`.
            filters: See `matching()`.
            until: The primary key of the newest job to be changed, so that what the action enqueues is not.
            actor: Who acts, for the audit trail.
        """
        jobs = matching(action, filters).filter(pk__lte=until).exclude(pk=self.job.pk)
        total, changed, unchanged, failures = jobs.count(), 0, 0, 0
        listed: list[dict[str, Any]] = []
        result = {'action': action, 'matched': total, 'changed': 0, 'unchanged': 0, 'failures': listed}
        self.job.data = result
        by = Actor(**actor) if actor is not None else None
        with audit.several(action, {**filters, 'job': self.job.pk}, by):
            for number, job in enumerate(_each(jobs), 1):
                self.check_canceled()
                try:
                    done = _PERFORM[action](job)
                except Job.DoesNotExist:
                    done = False  # it has been deleted meanwhile
                except Exception as error:  # what a retry raises depends on the runner's own code
                    done, failures = False, failures + 1
                    self.logger.warning('Job %s: %s', job.pk, described(error))
                    if failures <= _LISTED:
                        listed.append({'job': job.pk, 'error': described(error)})
                changed, unchanged = changed + bool(done), unchanged + (not done)
                result |= {'changed': changed, 'unchanged': unchanged}
                self.progress(number, total)
        self.logger.info('%s of %s jobs changed.', changed, total)


def _each(jobs: 'QuerySet[Job]') -> Iterator[Job]:
    after = 0
    while batch := list(jobs.filter(pk__gt=after).order_by('pk')[:_BATCH]):
        yield from batch
        after = batch[-1].pk

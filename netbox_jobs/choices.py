"""The fixed vocabularies of a job and a workflow: their status, common intervals, and when to notify."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _

__all__ = ('JobIntervalChoices', 'JobNotificationChoices', 'JobStatusChoices', 'WorkflowStatusChoices')


class _ChoiceSetType(type):
    """Lets a set of choices be iterated, and searched by value, on the class itself."""

    CHOICES: tuple[tuple[Any, Any], ...]

    def __call__(cls) -> list[tuple[Any, Any]]:
        """The choices as a list, for where a function is expected."""
        return list(cls.CHOICES)

    def __iter__(cls) -> Iterator[tuple[Any, Any]]:
        return iter(cls.CHOICES)

    def __contains__(cls, value: object) -> bool:
        return value in cls.values()

    def values(cls) -> list[Any]:
        """The values alone, in order."""
        return [value for value, _label in cls.CHOICES]


class _ChoiceSet(metaclass=_ChoiceSetType):
    CHOICES: ClassVar[tuple[tuple[Any, Any], ...]] = ()


class JobStatusChoices(_ChoiceSet):
    """Where a job stands. It waits (pending, scheduled), runs, and ends in a terminal status, once."""

    STATUS_PENDING = 'pending'
    STATUS_SCHEDULED = 'scheduled'
    STATUS_RUNNING = 'running'
    STATUS_COMPLETED = 'completed'
    STATUS_ERRORED = 'errored'
    STATUS_FAILED = 'failed'
    STATUS_CANCELED = 'canceled'

    CHOICES = (
        (STATUS_PENDING, _('Pending')),
        (STATUS_SCHEDULED, _('Scheduled')),
        (STATUS_RUNNING, _('Running')),
        (STATUS_COMPLETED, _('Completed')),
        (STATUS_ERRORED, _('Errored')),
        (STATUS_FAILED, _('Failed')),
        (STATUS_CANCELED, _('Canceled')),
    )
    colors: ClassVar[dict[str, str]] = {
        STATUS_PENDING: 'cyan',
        STATUS_SCHEDULED: 'gray',
        STATUS_RUNNING: 'blue',
        STATUS_COMPLETED: 'green',
        STATUS_ERRORED: 'red',
        STATUS_FAILED: 'red',
        STATUS_CANCELED: 'orange',
    }
    WAITING_STATE_CHOICES = (STATUS_PENDING, STATUS_SCHEDULED)
    ENQUEUED_STATE_CHOICES = (STATUS_PENDING, STATUS_SCHEDULED, STATUS_RUNNING)
    TERMINAL_STATE_CHOICES = (STATUS_COMPLETED, STATUS_ERRORED, STATUS_FAILED, STATUS_CANCELED)


class WorkflowStatusChoices(_ChoiceSet):
    """Where a workflow stands: it runs until all its members have ended."""

    STATUS_RUNNING = 'running'
    STATUS_COMPLETED = 'completed'
    STATUS_FAILED = 'failed'
    STATUS_CANCELED = 'canceled'

    CHOICES = (
        (STATUS_RUNNING, _('Running')),
        (STATUS_COMPLETED, _('Completed')),
        (STATUS_FAILED, _('Failed')),
        (STATUS_CANCELED, _('Canceled')),
    )
    #: What a member can be beside the statuses of a job.
    MEMBER_CHOICES = (('waiting', _('Waiting')), ('skipped', _('Skipped')), ('deleted', _('Deleted')))


class JobIntervalChoices(_ChoiceSet):
    """Names for common intervals, in minutes. Any whole number of minutes from 1 is accepted where these are."""

    INTERVAL_MINUTELY = 1
    INTERVAL_HOURLY = 60
    INTERVAL_DAILY = 60 * 24
    INTERVAL_WEEKLY = 60 * 24 * 7

    CHOICES = (
        (INTERVAL_MINUTELY, _('Minutely')),
        (INTERVAL_HOURLY, _('Hourly')),
        (60 * 12, _('12 hours')),
        (INTERVAL_DAILY, _('Daily')),
        (INTERVAL_WEEKLY, _('Weekly')),
        (60 * 24 * 30, _('30 days')),
    )


class JobNotificationChoices(_ChoiceSet):
    """When the end of a job is worth telling its user."""

    NOTIFICATION_ALWAYS = 'always'
    NOTIFICATION_ON_FAILURE = 'on_failure'
    NOTIFICATION_NEVER = 'never'

    CHOICES = (
        (NOTIFICATION_ALWAYS, _('Always')),
        (NOTIFICATION_ON_FAILURE, _('On failure')),
        (NOTIFICATION_NEVER, _('Never')),
    )

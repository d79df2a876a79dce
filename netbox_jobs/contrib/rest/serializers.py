"""What the API answers with. The names of a job's fields are those of NetBox's API."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ...choices import JobNotificationChoices, JobStatusChoices
from ...core import clock, formatting, reasons
from ...models import Job, JobAttempt, JobLogEntry, JobStep, Progress, Schedule
from ...monitoring import related, waiting
from ...monitoring.permissions import VIEW, may_see_arguments
from .base import address


class Moment(serializers.DateTimeField):
    """A moment, in UTC."""

    def to_representation(self, value: Any) -> Any:
        """Return it as the terminal does."""
        return formatting.iso(value)


class ModelSerializer(serializers.ModelSerializer[Any]):
    """Fields of a model."""

    serializer_field_mapping = {**serializers.ModelSerializer.serializer_field_mapping, models.DateTimeField: Moment}


class Seconds(serializers.FloatField):
    """A length of time."""

    def to_representation(self, value: Any) -> Any:
        """Return it in seconds."""
        return float(value.total_seconds())


class UserSerializer(serializers.Serializer[Any]):
    """A user."""

    id = serializers.CharField(source='pk')
    display = serializers.CharField(source='__str__')
    username = serializers.CharField(source='get_username')

    def get_fields(self) -> Any:
        """Give the key the type that it has in this project."""
        whole = get_user_model()._meta.pk.get_internal_type().endswith(('AutoField', 'IntegerField'))
        return {**super().get_fields(), **({'id': serializers.IntegerField(source='pk')} if whole else {})}


class StatusSerializer(serializers.Serializer[Any]):
    """A status: its value, and its name for people."""

    value = serializers.ChoiceField(JobStatusChoices.CHOICES, source='status')
    label = serializers.CharField(source='get_status_display')  # type: ignore[assignment]


class ProgressSerializer(ModelSerializer):
    """How far a run is."""

    percent = serializers.IntegerField(allow_null=True)
    rate = serializers.FloatField(allow_null=True, help_text='Steps in a second')
    remaining = Seconds(allow_null=True, help_text='Seconds')

    class Meta:
        model = Progress
        fields = ('current', 'total', 'message', 'percent', 'rate', 'remaining', 'updated')


class LogEntrySerializer(ModelSerializer):
    """A line of a log."""

    class Meta:
        model = JobLogEntry
        fields = ('id', 'timestamp', 'level', 'message', 'attempt')


class AttemptSerializer(ModelSerializer):
    """An earlier attempt."""

    class Meta:
        model = JobAttempt
        fields = ('number', 'started', 'ended', 'error', 'crashed')


class StepSerializer(ModelSerializer):
    """A step of a run, a sleep, or a wait for a signal."""

    result = serializers.SerializerMethodField(help_text='For people, for users who may see arguments')
    until = serializers.SerializerMethodField()

    class Meta:
        model = JobStep
        fields: Any = ('kind', 'name', 'attempt', 'started', 'completed', 'until', 'result')

    def get_result(self, step: JobStep) -> str | None:
        """The result, or the payload of the signal."""
        return step.result_shown if may_see_arguments(self.context['request'].user) else None

    @extend_schema_field({'type': 'string', 'format': 'date-time', 'nullable': True})
    def get_until(self, step: JobStep) -> str | None:
        """When the sleep, or the wait, is over at the latest."""
        return None if step.until is None else formatting.iso(clock.from_ms(step.until))


class WaitSerializer(serializers.Serializer[Any]):
    """Why a job waits."""

    reason = serializers.CharField(source='kind')
    text = serializers.SerializerMethodField()

    def get_text(self, wait: Any) -> str:
        """The reason for people."""
        return reasons.in_words(wait)


class RowSerializer(ModelSerializer):
    """What jobs and schedules have in common."""

    url = serializers.SerializerMethodField()
    display = serializers.CharField(source='__str__')
    object_type = serializers.SerializerMethodField(help_text='The model of the object, such as app.model')
    user = UserSerializer(source='related_user', allow_null=True)
    notifications = serializers.ChoiceField(JobNotificationChoices.CHOICES)
    noun = ''

    @extend_schema_field({'type': 'string', 'format': 'uri'})
    def get_url(self, row: Any) -> str:
        """The address of the row in this API."""
        return address(self.context['request'], f'{self.noun}-detail', row.pk)

    def get_object_type(self, row: Any) -> str | None:
        """The model of the object."""
        kind = row.object_type
        return None if kind is None else f'{kind.app_label}.{kind.model}'


class JobSerializer(RowSerializer):
    """A job, as lists have it, after `attach()`."""

    noun = 'jobs'
    display_url = serializers.SerializerMethodField()
    status = StatusSerializer(source='*')
    execution_time = Seconds(allow_null=True, help_text='Seconds')
    schedule = serializers.SerializerMethodField()
    retry_of = serializers.SerializerMethodField()
    workflow = serializers.SerializerMethodField()
    error = serializers.CharField(source='error_start', help_text='A list has its first 300 characters')
    progress = ProgressSerializer(source='related_progress', allow_null=True)

    class Meta:
        model = Job
        fields: Any = (
            'id', 'url', 'display_url', 'display', 'object_type', 'object_id', 'name', 'runner', 'status', 'created',
            'scheduled', 'interval', 'started', 'completed', 'execution_time', 'user', 'error', 'job_id', 'queue_name',
            'priority', 'notifications', 'schedule', 'attempt', 'retries', 'crashes', 'retry_of', 'workflow', 'tenant',
            'stopping', 'progress',
        )  # fmt: skip

    def get_fields(self) -> Any:
        """All fields are for reading."""
        fields = super().get_fields()
        for field in fields.values():
            field.read_only = True
        return fields

    @extend_schema_field({'type': 'string', 'nullable': True})
    def get_display_url(self, job: Job) -> str | None:
        """The address of the job's page in the admin."""
        path = job.get_absolute_url()
        return self.context['request'].build_absolute_uri(path) if path else None

    def get_schedule(self, job: Job) -> int | None:
        """The schedule, for users who may view all jobs."""
        return job.schedule_id if self.sees_all else None

    def get_retry_of(self, job: Job) -> int | None:
        """The job that this one repeats, for users who may view all jobs."""
        return job.retry_of_id if self.sees_all else None

    def get_workflow(self, job: Job) -> int | None:
        """The workflow that the job belongs to, for users who may view all jobs."""
        return job.workflow_id if self.sees_all else None

    @property
    def sees_all(self) -> bool:
        """Whether the user may view all jobs, and what belongs to them."""
        return bool(self.context['request'].user.has_perm(VIEW))


class JobDetailSerializer(JobSerializer):
    """A job with everything that belongs to it."""

    #: How many lines of the log there are.
    LINES = 100
    #: And how many steps.
    STEPS = 200

    error = serializers.CharField()
    data = serializers.JSONField(allow_null=True)  # type: ignore[assignment]
    arguments = serializers.SerializerMethodField()
    log_entries = serializers.SerializerMethodField(help_text='The latest 100 lines, in order')
    wait = serializers.SerializerMethodField()
    attempts = serializers.SerializerMethodField(help_text='The attempts before the latest one')
    steps = serializers.SerializerMethodField(help_text='The first 200 steps, sleeps and waits')

    class Meta:
        model = Job
        fields: Any = (*JobSerializer.Meta.fields, 'data', 'arguments', 'log_entries', 'wait', 'attempts', 'steps')

    def get_arguments(self, job: Job) -> str | None:
        """The arguments for people, for users who may see them: one `name=value` a line."""
        return job.arguments_shown if may_see_arguments(self.context['request'].user) else None

    @extend_schema_field(LogEntrySerializer(many=True))
    def get_log_entries(self, job: Job) -> Any:
        """The latest lines of the log."""
        rows = JobLogEntry.objects.using(job._state.db).filter(job_id=job.pk).order_by('-pk')
        return LogEntrySerializer(list(rows[: self.LINES])[::-1], many=True).data

    @extend_schema_field(WaitSerializer(allow_null=True))
    def get_wait(self, job: Job) -> Any:
        """Why the job waits; null if it does not."""
        wait = waiting.reason(job)
        return None if wait is None else WaitSerializer(wait if self.sees_all else waiting.without_others(wait)).data

    @extend_schema_field(AttemptSerializer(many=True))
    def get_attempts(self, job: Job) -> Any:
        """The attempts before the latest one."""
        return AttemptSerializer(job.attempts.using(job._state.db).all(), many=True).data

    @extend_schema_field(StepSerializer(many=True))
    def get_steps(self, job: Job) -> Any:
        """The steps, in the order in which they were begun."""
        rows = job.steps.using(job._state.db).defer('result')[: self.STEPS]
        return StepSerializer(rows, many=True, context=self.context).data


def attach(jobs: Sequence[Job]) -> None:
    """Set the users and the progress of jobs, each from one query."""
    related.attach_users(jobs)
    related.attach_progress(jobs)


def one_job(job: Job, context: Mapping[str, Any], *, brief: bool = False) -> Any:
    """Return one job as JSON, read again: as what was done to it has left it."""
    row = Job.objects.using(job._state.db).select_related('object_type').get(pk=job.pk)
    attach([row])
    if brief:
        row.error_start = row.error[: related.ERROR_START]  # type: ignore[attr-defined]
        return JobSerializer(row, context=context).data
    return JobDetailSerializer(row, context=context).data


class ScheduleSerializer(RowSerializer):
    """A schedule, with the job that ended last. It needs what the view attaches."""

    noun = 'schedules'
    state = serializers.ChoiceField(('active', 'running', 'paused', 'suspended'), source='schedule_state.state')
    next_run = Moment(source='schedule_state.next_run', allow_null=True)
    last_job = serializers.SerializerMethodField()
    last_run = Moment(source='schedule_state.last.completed', allow_null=True, default=None)
    last_status = StatusSerializer(source='schedule_state.last', allow_null=True)

    class Meta:
        model = Schedule
        fields = (
            'id', 'url', 'display', 'object_type', 'object_id', 'name', 'runner', 'user', 'interval', 'cron',
            'time_zone', 'queue_name', 'notifications', 'created', 'runs', 'state', 'paused', 'suspended', 'next_run',
            'last_run', 'last_status', 'last_job',
        )  # fmt: skip

    def get_last_job(self, schedule: Any) -> int | None:
        """The job that ended last."""
        last = schedule.schedule_state.last
        return None if last is None else last.pk

"""Jobs: their list, each with its log and its events, and the actions on them."""

from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from ...choices import JobStatusChoices
from ...exceptions import JobEnded, NetBoxJobsError
from ...maintenance import bulk_action
from ...models import Job
from ...monitoring import permissions, related
from ...monitoring.log_lines import LEVELS, lines
from . import events, filters
from .base import JobsAPI, address, require
from .fields import Moment, Name, StrictSerializer, Word
from .pagination import KeysetPagination, Order
from .problems import UNKNOWN, BadQuery, Conflict
from .schema import described
from .serializers import JobDetailSerializer, JobSerializer, LogEntrySerializer, attach, one_job

_AFTER = OpenApiParameter(
    'after', {'type': 'integer', 'minimum': 0, 'maximum': 2**63 - 1}, description='Only lines after that of this `id`'
)
_LEVEL = OpenApiParameter('level', str, enum=LEVELS, description='Only lines of this level and of more severe ones')


class SignalSerializer(StrictSerializer):
    """A signal to a job."""

    name = Name(max_length=200)
    payload = serializers.JSONField(required=False, allow_null=True, help_text='What `wait_for()` returns')


class BulkSerializer(StrictSerializer):
    """Which jobs: all that match all filters. At least one filter is required."""

    needs_a_member = True

    status = serializers.ChoiceField([(each, each) for each in bulk_action.ACTIONS['retry']], required=False)
    runner = Word(required=False)
    queue = Word(required=False)
    error = Word(required=False, help_text='The fingerprint')
    user = Word(required=False, help_text='The key')
    created_from = Moment(required=False)
    created_before = Moment(required=False)
    ended_from = Moment(required=False)


class ActingSerializer(serializers.Serializer[Any]):
    """The job that does the action."""

    matched = serializers.IntegerField()
    job = JobSerializer()


class JobViewSet(JobsAPI, GenericViewSet[Job]):
    """The jobs that the user may see."""

    noun = 'jobs'
    queryset = Job.objects.none()
    serializer_class = JobSerializer
    lookup_value_regex = '[^/]+'
    filter_backends = (filters.Backend,)
    filterset_class = filters.JobFilterSet
    pagination_class = KeysetPagination

    def get_order(self) -> Order:
        """Return by what the list, or a log, is sorted."""
        return Order() if self.action == 'log' else filters.order(self.request.query_params)

    def get_queryset(self) -> Any:
        """Return the jobs that the user may see."""
        return permissions.visible_jobs(self.request.user).select_related('object_type').order_by()

    def _job(self, pk: str) -> Job:
        job: Job = get_object_or_404(related.defer_large_fields(self.get_queryset()), pk=pk)
        return job

    @described(response=JobSerializer(many=True), problems=(404,), pages=True)
    def list(self, request: Request) -> Response:
        """List jobs, the newest first: of one status, by the time when they were due; of one error, by their end."""
        found: Any = self.filter_queryset(related.defer_large_fields(self.get_queryset()))
        rows = self.paginate_queryset(found)
        assert rows is not None
        attach(rows)
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)

    @described(response=JobDetailSerializer, problems=(404,))
    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a job with its progress, the end of its log, and the reason why it waits."""
        return Response(one_job(self._job(pk), self.get_serializer_context()))

    @described(response=LogEntrySerializer(many=True), parameters=(_AFTER, _LEVEL), problems=(404,), pages=True)
    @action(detail=True, methods=['get'])
    def log(self, request: Request, pk: str) -> Response:
        """List the lines of the log of a job, in order."""
        job, level = self._job(pk), request.query_params.get('level', '')
        if level not in ('', *LEVELS):
            raise BadQuery({'level': f'Expected one of {", ".join(LEVELS)}.'})
        found: Any = self.paginate_queryset(lines(job, level).filter(pk__gt=_after(request)).order_by())  # type: ignore[arg-type]
        return self.get_paginated_response(LogEntrySerializer(found, many=True).data)

    @described(response=events.EVENT, media_type=events.CONTENT_TYPE, parameters=(_AFTER,), problems=(404,))
    @action(detail=True, methods=['get'], renderer_classes=[events.EventStreamRenderer])
    def events(self, request: Request, pk: str) -> HttpResponseBase:
        """Stream the state and the log of a job as server-sent events: `job`, `log`, and at last `end` or `deleted`."""
        watch = events.Watch(self._job(pk), _after(request), self.get_serializer_context())
        asynchronous = isinstance(request._request, ASGIRequest)
        content = events.stream(watch, asynchronous=asynchronous)
        headers = {'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no'}
        return StreamingHttpResponse(content, content_type=events.CONTENT_TYPE, headers=headers)

    @described(response=JobDetailSerializer, problems=(404, 409))
    @action(detail=True, methods=['post'])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel a job that waits. It never runs; a schedule skips this occurrence and continues."""
        job = self._job(pk)
        require(permissions.may_cancel(request.user, job))
        if not job.cancel():
            raise Conflict(_only(job, 'a job that waits can be canceled'))
        return Response(one_job(job, self.get_serializer_context()))

    @described(response=JobDetailSerializer, problems=(404, 409))
    @action(detail=True, methods=['post'])
    def stop(self, request: Request, pk: str) -> Response:
        """Stop a job that runs, or cancel it if it waits. A job that is being stopped already is left as it is."""
        job = self._job(pk)
        require(permissions.may_cancel(request.user, job))
        if not job.stop():
            job.refresh_from_db(fields=('status', 'stopping'))
            if job.ended:
                raise Conflict(_only(job, 'a job that runs or waits can be stopped'))
        return Response(one_job(job, self.get_serializer_context()))

    @described(response=JobDetailSerializer, status=201, problems=(404, 409))
    @action(detail=True, methods=['post'])
    def retry(self, request: Request, pk: str) -> Response:
        """Enqueue a new job with the arguments of a job that has ended; answer with the new one."""
        job = self._job(pk)
        require(permissions.may_retry(request.user, job))
        try:
            new = job.retry()
        except (ValueError, TypeError, NetBoxJobsError) as error:
            raise Conflict(str(error)) from error
        where = {'Location': address(request, 'jobs-detail', new.pk)}
        return Response(one_job(new, self.get_serializer_context()), 201, headers=where)

    @described(request=SignalSerializer, response=None, status=204, problems=(404, 409))
    @action(detail=True, methods=['post'])
    def signal(self, request: Request, pk: str) -> Response:
        """Send a signal to a job, which waits for it, or will."""
        job = self._job(pk)
        require(permissions.may_signal(request.user, job))
        body = SignalSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        try:
            job.signal(body.validated_data['name'], body.validated_data.get('payload'))
        except (JobEnded, Job.DoesNotExist) as error:
            raise Conflict(str(error)) from error
        return Response(status=204)

    @described(request=BulkSerializer, response=ActingSerializer, status=202, problems=(409,))
    @action(detail=False, methods=['post'], url_path='retry', url_name='retry-matching')
    def retry_matching(self, request: Request) -> Response:
        """Retry all jobs that match a filter and have not been retried; answer with the job that does it."""
        require(request.user.has_perm(permissions.RETRY))
        body = BulkSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        if not request.user.has_perm(permissions.VIEW):
            given['user'] = request.user.pk  # who sees only jobs of their own retries only these
        try:
            matched = bulk_action.matching('retry', given).count()
        except (ValueError, TypeError):
            raise serializers.ValidationError({'user': 'This is not the key of a user.'}, code=UNKNOWN) from None
        acting = bulk_action.act_on_jobs('retry', given, user=request.user)
        document = {'matched': matched, 'job': one_job(acting, self.get_serializer_context(), brief=True)}
        return Response(document, 202, headers={'Location': address(request, 'jobs-detail', acting.pk)})


def _after(request: Request) -> int:
    """Return the key of the line that the client has last; browsers send it when they connect again."""
    given = request.query_params.get('after') or request.headers.get('Last-Event-ID') or '0'
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise BadQuery({'after': 'Expected the `id` of a line.'})
    return int(given)


def _only(job: Job, what: str) -> str:
    job.refresh_from_db(fields=('status',))
    label = dict(JobStatusChoices.CHOICES)[job.status].lower()
    return f'Job {job.pk} is {label}; only {what}.'

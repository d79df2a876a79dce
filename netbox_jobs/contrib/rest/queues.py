"""Queues and workers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from ...exceptions import UnknownQueue
from ...models import PausedQueue, QueueLimit
from ...models.queues import MOST
from ...monitoring import permissions
from ...monitoring.queues import QueueState, queue_states
from ...monitoring.workers import worker_states
from .base import JobsAPI, address, require
from .fields import StrictSerializer, Whole
from .schema import described
from .serializers import Moment


class QueueSerializer(serializers.Serializer[Any]):
    """A queue. Jobs are counted up to 5,000 in each status; 5,001 stands for more."""

    name = serializers.CharField()
    url = serializers.SerializerMethodField()
    state = serializers.ChoiceField(('active', 'paused', 'no_worker'))
    waiting = serializers.IntegerField()
    scheduled = serializers.IntegerField()
    running = serializers.IntegerField()
    failed = serializers.IntegerField(help_text='Jobs that failed or errored within the last day')
    oldest = Moment(allow_null=True, help_text='Since when its oldest waiting job could have run')
    workers = serializers.IntegerField()
    paused = Moment(allow_null=True, help_text='Since when it is paused')
    limit = serializers.IntegerField(allow_null=True, help_text='How many of its jobs run at once')
    configured = serializers.BooleanField()

    @extend_schema_field({'type': 'string', 'format': 'uri'})
    def get_url(self, queue: Any) -> str:
        """The address of the queue in this API."""
        return address(self.context['request'], 'queues-detail', queue.name)


class WorkerSerializer(serializers.Serializer[Any]):
    """A worker with the jobs that it runs."""

    id = serializers.IntegerField(source='worker.pk')
    name = serializers.CharField(source='worker.name')
    host = serializers.CharField(source='worker.host')
    pid = serializers.IntegerField(source='worker.pid')
    queues = serializers.ListField(child=serializers.CharField())
    started = Moment(source='worker.started')
    version = serializers.CharField(source='worker.version')
    heartbeats = serializers.IntegerField(source='worker.beats')
    silent = serializers.FloatField(
        allow_null=True, help_text='Seconds for which the heartbeat has stood still, if it has'
    )
    jobs = serializers.SerializerMethodField()

    def get_jobs(self, state: Any) -> list[int]:
        """The jobs that it runs, for users who may view all jobs."""
        if not self.context['request'].user.has_perm(permissions.VIEW):
            return []
        return [each.job.pk for each in state.jobs]


class LimitSerializer(StrictSerializer):
    """The limit of a queue."""

    limit = Whole(allow_null=True, min_value=1, max_value=MOST, help_text='How many of its jobs run at once; null: any')


class QueueViewSet(JobsAPI, ViewSet):
    """The queues, for users who may view all jobs."""

    noun = 'queues'
    lookup_field = 'name'
    lookup_value_regex = '[^/]+'

    @described(response=QueueSerializer(many=True))
    def list(self, request: Request) -> Response:
        """List the configured queues in the order of priority, and other queues that have jobs or are paused."""
        return Response(self._answer(request, _states(request)))

    @described(response=QueueSerializer, problems=(404,))
    def retrieve(self, request: Request, name: str) -> Response:
        """Show a queue."""
        return Response(self._answer(request, [_state(request, name)])[0])

    @described(response=QueueSerializer, problems=(404,))
    @action(detail=True, methods=['post'])
    def pause(self, request: Request, name: str) -> Response:
        """Pause a queue: workers begin no more of its jobs; those that run finish."""
        return self._switch(request, name, PausedQueue.pause)

    @described(response=QueueSerializer, problems=(404,))
    @action(detail=True, methods=['post'])
    def resume(self, request: Request, name: str) -> Response:
        """Resume a queue."""
        return self._switch(request, name, PausedQueue.resume)

    @described(request=LimitSerializer, response=QueueSerializer, problems=(404,))
    @action(detail=True, methods=['put'])
    def limit(self, request: Request, name: str) -> Response:
        """Say how many jobs of a queue run at once from now on, instead of what the settings say."""
        require(request.user.has_perm(permissions.CHANGE_LIMITS))
        _state(request, name)
        body = LimitSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        try:
            QueueLimit.set(name, body.validated_data['limit'])
        except UnknownQueue as error:
            raise Http404 from error
        return Response(self._answer(request, [_state(request, name)])[0])

    @limit.mapping.delete
    @described(response=QueueSerializer, problems=(404,))
    def reset_limit(self, request: Request, name: str) -> Response:
        """Have the settings say again how many jobs of a queue run at once."""
        require(request.user.has_perm(permissions.CHANGE_LIMITS))
        _state(request, name)
        QueueLimit.reset(name)
        return Response(self._answer(request, [_state(request, name)])[0])

    def _switch(self, request: Request, name: str, switch: Any) -> Response:
        require(request.user.has_perm(permissions.PAUSE_QUEUES))
        before = _state(request, name)
        try:
            switch(name)
        except UnknownQueue as error:
            raise Http404 from error
        after = next((each for each in _states(request) if each.name == name), replace(before, paused=None))
        return Response(self._answer(request, [after])[0])

    def _answer(self, request: Request, found: Sequence[QueueState]) -> Any:
        return QueueSerializer(found, many=True, context={'request': request}).data


def _states(request: Request) -> list[QueueState]:
    require(request.user.has_perm(permissions.VIEW))
    return queue_states()


def _state(request: Request, name: str) -> QueueState:
    for each in _states(request):
        if each.name == name:
            return each
    raise Http404


class WorkerViewSet(JobsAPI, ViewSet):
    """The workers, for users who may view them."""

    noun = 'workers'

    @described(response=WorkerSerializer(many=True))
    def list(self, request: Request) -> Response:
        """List the workers by name, with the jobs that they run."""
        require(request.user.has_perm(permissions.VIEW_WORKERS))
        found = [state for state in worker_states() if state.worker is not None]
        return Response(WorkerSerializer(found, many=True, context={'request': request}).data)

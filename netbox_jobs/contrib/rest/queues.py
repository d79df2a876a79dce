"""Queues and workers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.http import Http404
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
from .base import JobsAPI, require
from .fields import StrictSerializer, Whole
from .schema import described
from .serializers import QueueSerializer, WorkerSerializer


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

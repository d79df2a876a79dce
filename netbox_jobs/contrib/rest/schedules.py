"""Schedules: their list, and the actions on each."""

from typing import Any

from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from ...models import Schedule, database
from ...monitoring import permissions, related
from ...monitoring.schedules import ScheduleState, schedule_states
from .base import JobsAPI, require
from .pagination import KeysetPagination, Order
from .problems import Conflict
from .schema import described
from .serializers import JobSerializer, ScheduleSerializer, one_job


class ScheduleViewSet(JobsAPI, GenericViewSet[Schedule]):
    """The schedules, for users who may view or manage them."""

    noun = 'schedules'
    queryset = Schedule.objects.none()
    serializer_class = ScheduleSerializer
    lookup_value_regex = '[^/]+'
    pagination_class = KeysetPagination

    def get_order(self) -> Order:
        """Return by what the list is sorted."""
        return Order()

    def get_queryset(self) -> Any:
        """Return all schedules."""
        require(permissions.may_view_schedules(self.request.user))
        return Schedule.objects.using(database()).select_related('object_type').order_by()

    def _schedule(self, pk: str) -> Schedule:
        schedule: Schedule = get_object_or_404(self.get_queryset(), pk=pk)
        require(self.action == 'retrieve' or self.request.user.has_perm(permissions.MANAGE_SCHEDULES))
        return schedule

    def _answer(self, schedule: Schedule) -> Response:
        row = self.get_queryset().filter(pk=schedule.pk)
        return Response(self.get_serializer(_with_states(list(row)), many=True).data[0])

    @described(response=ScheduleSerializer(many=True), problems=(404,), pages=True)
    def list(self, request: Request) -> Response:
        """List schedules, the oldest first."""
        rows = self.paginate_queryset(self.get_queryset())
        assert rows is not None
        return self.get_paginated_response(self.get_serializer(_with_states(rows), many=True).data)

    @described(response=ScheduleSerializer, problems=(404,))
    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a schedule, with its next run and the job that ended last."""
        return self._answer(self._schedule(pk))

    @described(response=ScheduleSerializer, problems=(404,))
    @action(detail=True, methods=['post'])
    def pause(self, request: Request, pk: str) -> Response:
        """Pause a schedule: no more occurrences begin. An occurrence that runs finishes."""
        schedule = self._schedule(pk)
        schedule.pause()
        return self._answer(schedule)

    @described(response=ScheduleSerializer, problems=(404,))
    @action(detail=True, methods=['post'])
    def resume(self, request: Request, pk: str) -> Response:
        """Resume a schedule that is paused or suspended. What was missed meanwhile runs once, at once."""
        schedule = self._schedule(pk)
        schedule.resume()
        return self._answer(schedule)

    @described(response=JobSerializer, problems=(404, 409))
    @action(detail=True, methods=['post'])
    def run(self, request: Request, pk: str) -> Response:
        """Run the occurrence that waits now; answer with its job."""
        job = self._schedule(pk).run_now()
        if job is None:
            raise Conflict('No occurrence waits: one is running, or the schedule is suspended.')
        return Response(one_job(job, self.get_serializer_context(), brief=True))

    @described(response=None, status=204, problems=(404,))
    @action(detail=True, methods=['post'])
    def end(self, request: Request, pk: str) -> Response:
        """End a schedule: its waiting job is deleted, and an occurrence that runs has no successor."""
        self._schedule(pk).end()
        return Response(status=204)


def _with_states(rows: Any) -> Any:
    states = schedule_states(Schedule.objects.filter(pk__in=[row.pk for row in rows]))
    by_key = {state.schedule.pk: state for state in states}
    related.attach_users(rows)
    for row in rows:
        row.schedule_state = by_key.get(row.pk) or ScheduleState(row)
    return rows

"""Workflows: their list, each with its members and the order among them, and the actions on them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from ...exceptions import NetBoxJobsError
from ...models import Workflow, database
from ...monitoring import permissions, related, workflows
from .base import JobsAPI, address, require
from .pagination import KeysetPagination, Order
from .problems import Conflict
from .schema import described
from .serializers import ModelSerializer, UserSerializer


class CountsSerializer(serializers.Serializer[Any]):
    """How many members stand where."""

    total = serializers.IntegerField()
    waiting = serializers.IntegerField()
    running = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    errored = serializers.IntegerField()
    canceled = serializers.IntegerField()
    skipped = serializers.IntegerField()
    deleted = serializers.IntegerField()
    done = serializers.IntegerField()
    percent = serializers.IntegerField()


class MemberSerializer(serializers.Serializer[Any]):
    """A member of a workflow, or a callback of it: a node of the graph, with the edges that lead to it."""

    name = serializers.CharField()
    job = serializers.IntegerField(allow_null=True)
    runner = serializers.CharField()
    status = serializers.CharField(help_text='That of its job; or `skipped`, or `deleted`')
    role = serializers.CharField(help_text='Which callback it is, if it is one')
    after = serializers.ListField(child=serializers.CharField(), help_text='The members that it comes after')
    on_failure_of = serializers.ListField(child=serializers.CharField())


class WorkflowSerializer(ModelSerializer):
    """A workflow, as lists have it."""

    url = serializers.SerializerMethodField()
    status = serializers.CharField()
    user = UserSerializer(source='related_user', allow_null=True)
    counts = CountsSerializer(source='counted')

    class Meta:
        model = Workflow
        fields: Any = ('id', 'url', 'name', 'status', 'created', 'completed', 'deadline', 'user', 'error', 'counts')

    @extend_schema_field({'type': 'string', 'format': 'uri'})
    def get_url(self, row: Workflow) -> str:
        """The address of the workflow in this API."""
        return address(self.context['request'], 'workflows-detail', row.pk)


class WorkflowDetailSerializer(WorkflowSerializer):
    """A workflow with its members: the first 200, those that have not completed first if there are more."""

    members = MemberSerializer(many=True)
    callbacks = MemberSerializer(many=True)

    class Meta:
        model = Workflow
        fields: Any = (*WorkflowSerializer.Meta.fields, 'members', 'callbacks')


class WorkflowViewSet(JobsAPI, GenericViewSet[Workflow]):
    """The workflows, for users who may view them."""

    noun = 'workflows'
    queryset = Workflow.objects.none()
    serializer_class = WorkflowSerializer
    lookup_value_regex = '[0-9]{1,18}'
    pagination_class = KeysetPagination

    def get_order(self) -> Order:
        """Return by what the list is sorted."""
        return Order(descending=True, keys_descending=True)

    def get_queryset(self) -> Any:
        """Return all workflows."""
        require(self.request.user.has_perm(permissions.VIEW_WORKFLOWS))
        return Workflow.objects.using(database()).order_by()

    @described(response=WorkflowSerializer(many=True), problems=(404,), pages=True)
    def list(self, request: Request) -> Response:
        """List workflows, the newest first."""
        rows = self.paginate_queryset(self.get_queryset())
        assert rows is not None
        related.attach_users(rows)
        counts = workflows.counts(rows, database())
        for row in rows:
            row.counted = counts[row.pk]
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)

    @described(response=WorkflowDetailSerializer, problems=(404,))
    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a workflow as a graph: its members, and what each comes after."""
        return self._answer(self._workflow(pk))

    @described(response=WorkflowDetailSerializer, problems=(404, 409))
    @action(detail=True, methods=['post'])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel the members that wait, and stop those that run."""
        workflow = self._workflow(pk)
        require(request.user.has_perm(permissions.CANCEL_WORKFLOWS))
        if not workflow.cancel():
            raise Conflict(f'Workflow {workflow.pk} has ended, or is being canceled.')
        return self._answer(self._workflow(pk))

    @described(response=WorkflowDetailSerializer, problems=(404, 409))
    @action(detail=True, methods=['post'])
    def retry(self, request: Request, pk: str) -> Response:
        """Continue a workflow that has failed or was canceled: enqueue what has not completed."""
        workflow = self._workflow(pk)
        require(request.user.has_perm(permissions.RETRY_WORKFLOWS))
        try:
            workflow.retry()
        except (ValueError, TypeError, NetBoxJobsError) as error:
            raise Conflict(str(error)) from error
        return self._answer(self._workflow(pk))

    def _workflow(self, pk: str) -> Workflow:
        workflow: Workflow = get_object_or_404(self.get_queryset(), pk=pk)
        return workflow

    def _answer(self, workflow: Workflow) -> Response:
        state: Any = workflows.state_of(workflow)
        related.attach_users([workflow])
        row: Any = workflow
        row.counted = state.counts
        found = WorkflowSerializer(row, context=self.get_serializer_context()).data
        members = {name: MemberSerializer(getattr(state, name), many=True).data for name in ('members', 'callbacks')}
        return Response({**found, **members})

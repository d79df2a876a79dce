"""The runners that say `Meta.api = True`, and the view that enqueues jobs of each."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ...core import runner_options
from ...core.import_path import path_of
from ...execution.runner import JobRunner
from ...monitoring import permissions, runners
from . import arguments, schema
from .base import JobsAPI, address, require
from .problems import REFUSED
from .schema import described
from .serializers import JobSerializer, one_job


class RunnerSerializer(serializers.Serializer[Any]):
    """A runner whose jobs can be enqueued."""

    runner = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField(help_text='The first line of its docstring')
    url = serializers.CharField(help_text='Where its jobs are enqueued, with POST')


def offered() -> list[type[JobRunner]]:
    """Return the runners with `Meta.api = True`, by path: of the module `jobs` of each app, and others in use."""
    runners.import_all()
    return sorted({each for each in runners.imported() if runner_options.is_in_api(each)}, key=path_of)


class RunnerListView(JobsAPI, APIView):
    """The runners whose jobs the user may enqueue."""

    noun = 'runners'
    operation = 'runners_list'
    runners: tuple[type[JobRunner], ...] = ()

    @described(response=RunnerSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List the runners whose jobs can be enqueued."""
        require(request.user.has_perm(permissions.ENQUEUE))
        found = [
            {
                'runner': path_of(each),
                'name': each.name,
                'description': (each.__doc__ or '').strip().partition('\n')[0],
                'url': address(request, f'runner-{path_of(each)}'),
            }
            for each in self.runners
        ]
        return Response(found)


class EnqueueView(JobsAPI, APIView):
    """Enqueues jobs of one runner."""

    noun = 'runners'
    runner: type[JobRunner] = None  # type: ignore[assignment]

    @property
    def operation(self) -> str:
        """The name of the operation in the schema."""
        return f'enqueue_{arguments.name_of(self.runner)}'

    def get_body_class(self) -> type[serializers.Serializer[Any]]:
        """Return the serializer of the body."""
        return arguments.body_of(self.runner)

    @described(request=schema.dynamic, response=JobSerializer, status=201, problems=(409,))
    def post(self, request: Request) -> Response:
        """Enqueue a job of this runner."""
        require(request.user.has_perm(permissions.ENQUEUE))
        context = {'request': request}
        body = self.get_body_class()(data=request.data, context=context)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        run_arguments = given.pop('arguments', {})
        options = {name: value for name, value in given.items() if value not in (None, '')}
        try:
            job = self.runner.using(user=request.user, **options).enqueue(**run_arguments)
        except (ValueError, TypeError) as error:
            raise serializers.ValidationError(str(error), code=REFUSED) from error
        return Response(
            one_job(job, context, brief=True), 201, headers={'Location': address(request, 'jobs-detail', job.pk)}
        )

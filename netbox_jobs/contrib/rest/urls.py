"""The addresses of the API: `path('api/', include('netbox_jobs.contrib.rest.urls'))`."""

from django.http import Http404
from django.urls import path, re_path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from ...core.import_path import path_of
from . import runners
from .base import JobsAPI
from .jobs import JobViewSet
from .queues import QueueViewSet, WorkerViewSet
from .root import RootView
from .schedules import ScheduleViewSet
from .schema import JobsSchemaGenerator
from .workflows import WorkflowViewSet

app_name = 'netbox_jobs_api'


class _NotFound(JobsAPI, APIView):
    schema = None
    permission_classes = ()

    def dispatch_any(self, request: Request, **kwargs: str) -> Response:
        raise Http404

    get = post = put = patch = delete = dispatch_any


router = SimpleRouter()
router.register('jobs', JobViewSet, 'jobs')
router.register('schedules', ScheduleViewSet, 'schedules')
router.register('workflows', WorkflowViewSet, 'workflows')
router.register('queues', QueueViewSet, 'queues')
router.register('workers', WorkerViewSet, 'workers')

_offered = tuple(runners.offered())
_document = SpectacularAPIView.as_view(
    generator_class=JobsSchemaGenerator, permission_classes=[IsAuthenticated], api_version=None
)

urlpatterns = [
    path('', RootView.as_view(), name='root'),
    path('schema/', _document, name='schema'),
    path('runners/', runners.RunnerListView.as_view(runners=_offered), name='runners'),
    *(
        path(f'runners/{path_of(each)}/', runners.EnqueueView.as_view(runner=each), name=f'runner-{path_of(each)}')
        for each in _offered
    ),
    *router.urls,
    # Unknown addresses have problem details, too. (Without a slash at the end, Django redirects.)
    re_path(r'^.*/$', _NotFound.as_view()),
]

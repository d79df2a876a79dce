from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.generic import CreateView, DetailView, ListView, UpdateView, View

from netbox_jobs.choices import JobStatusChoices
from netbox_jobs.jobs import Throttle
from netbox_jobs.permissions import visible_jobs
from netbox_jobs.workflows import batch

from .forms import SourceForm
from .jobs import SyncAllReportJob, SyncSourceJob
from .models import Source


class SourceListView(LoginRequiredMixin, ListView):
    """All sources, with how their last sync went."""

    model = Source

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        # The latest of each, in two queries however many sources and jobs there are.
        jobs = _begun(visible_jobs(self.request.user, SyncSourceJob.get_jobs()))
        keys = jobs.order_by().values('object_id').annotate(latest=Max('pk')).values_list('latest', flat=True)
        latest = {job.object_id: job for job in jobs.filter(pk__in=list(keys))}
        context['rows'] = [(source, latest.get(str(source.pk))) for source in context['object_list']]
        return context


class SourceView(LoginRequiredMixin, DetailView):
    """A source, its records and its jobs. What the page shows of jobs is kept up to date by netbox_jobs' tags."""

    model = Source

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        jobs = visible_jobs(self.request.user, SyncSourceJob.get_jobs(self.object))
        records = self.object.records.all()
        return super().get_context_data(
            **kwargs, latest=_begun(jobs).order_by('pk').last(), records=records[:60], count=records.count()
        )


class RecordsView(SourceView):
    """The records alone: what the page asks for again while a job runs."""

    template_name = 'example_plugin/records.html'


class SourceCreateView(LoginRequiredMixin, CreateView):
    """Add a source; saving it sets up its schedule."""

    model = Source
    form_class = SourceForm


class SourceEditView(LoginRequiredMixin, UpdateView):
    """Change a source; saving it changes its schedule too."""

    model = Source
    form_class = SourceForm


class SyncView(LoginRequiredMixin, View):
    """The button "Sync now"."""

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        source = get_object_or_404(Source, pk=pk)
        # On demand, beside whatever is scheduled.
        # A double click is one sync.
        throttle = Throttle(timedelta(seconds=2), by=('instance',))
        SyncSourceJob.enqueue(instance=source, user=request.user, throttle=throttle)
        messages.success(request, f'{source} is being synced.')
        return redirect(source)


class SyncAllView(LoginRequiredMixin, View):
    """The button "Sync all": one workflow, whose report is made when the last sync has ended."""

    def post(self, request: HttpRequest) -> HttpResponse:
        calls = [{'instance': source} for source in Source.objects.all()]
        batch(SyncSourceJob, calls, name='Sync all sources', user=request.user, on_complete=SyncAllReportJob)
        messages.success(request, f'{len(calls)} sources are being synced.')
        return redirect('example_plugin:sources')


def _begun(jobs: Any) -> Any:
    """Those that run, ran, or are about to; not those that merely stand in the calendar."""
    return jobs.exclude(status=JobStatusChoices.STATUS_SCHEDULED, attempt=0)

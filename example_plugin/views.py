from typing import Any

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.generic import CreateView, DetailView, ListView, UpdateView, View

from netbox_jobs.models import Job

from .forms import SourceForm
from .jobs import SyncSourceJob
from .models import Source


class SourceListView(LoginRequiredMixin, ListView):
    """All sources, with how their last sync went."""

    model = Source

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        # One query for all: the newest job of each source comes last, and stays.
        jobs: dict[str, Job] = {}
        for job in SyncSourceJob.get_jobs().filter(object_id__in=[s.pk for s in context['object_list']]).order_by('pk'):
            jobs[job.object_id or ''] = job
        context['rows'] = [(source, jobs.get(str(source.pk))) for source in context['object_list']]
        return context


class SourceView(LoginRequiredMixin, DetailView):
    """A source, its records and its jobs."""

    model = Source

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        jobs = self.object.jobs.all()[:10]
        return super().get_context_data(
            **kwargs, jobs=jobs, log=jobs[0].log_entries if jobs else [], records=self.object.records.all()[:50]
        )


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
        SyncSourceJob.enqueue(instance=source, user=request.user)
        messages.success(request, f'{source} is being synced.')
        return redirect(source)

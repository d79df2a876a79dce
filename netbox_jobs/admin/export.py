"""The export of the filtered list of jobs, as a file."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.urls import path
from django.utils import timezone

from ..core import formatting
from ..monitoring import export
from .base import PagesAdmin

#: The formats by the extensions of their files: the type of the content, and what writes it.
FORMATS: dict[str, tuple[str, Callable[..., Iterator[str]]]] = {
    'csv': ('text/csv; charset=utf-8', export.as_csv),
    'json': ('application/json', export.as_json),
}


class ExportPages(PagesAdmin):
    """The part of the admin of jobs that exports them; with the filters of the list in the address."""

    def export_urls(self) -> list[Any]:
        """One address for each format."""
        return [
            path(
                f'export.{name}', self.page(partial(self.export_view, name=name)), name=f'netbox_jobs_job_export_{name}'
            )
            for name in FORMATS
        ]

    def export_view(self, request: HttpRequest, name: str) -> StreamingHttpResponse:
        """The jobs that the list with these filters has, the first `export.MOST`, as a file."""
        self.check_view(request)
        try:
            jobs: Any = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            raise Http404 from None
        content_type, write = FORMATS[name]
        pieces = write(jobs, lambda job: self.has_view_permission(request, job))
        response = StreamingHttpResponse(_marked(pieces) if name == 'csv' else pieces, content_type=content_type)
        day = formatting.date(timezone.now())
        response['Content-Disposition'] = f'attachment; filename="jobs-{day}.{name}"'
        response['X-Content-Type-Options'] = 'nosniff'
        return response


def _marked(pieces: Iterator[str]) -> Iterator[str]:
    """Begin with the mark by which spreadsheets know UTF-8."""
    yield '\ufeff'
    yield from pieces

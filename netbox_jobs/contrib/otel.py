"""Traces with OpenTelemetry, as contexts for `NETBOX_JOBS['CONTEXT']`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import context, propagate, trace
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode

from .. import __version__
from ..choices import JobStatusChoices
from ..core import runs
from ..core.contexts import Call

_UNSUCCESSFUL = (JobStatusChoices.STATUS_FAILED, JobStatusChoices.STATUS_ERRORED)


class Trace:
    """Continues the trace of the call in the job, and that of the job in its successor.

    A call that enqueues is a span of the kind *producer*, and a run is a span of the kind *consumer* below it. Their
    attributes are those of OpenTelemetry's conventions for messaging.
    """

    name = 'trace'
    goes_on = True

    def capture(self) -> dict[str, str] | None:
        """Return the trace of the calling code."""
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        return carrier or None

    def capture_call(self, call: Call) -> dict[str, str] | None:
        """Record the span of a call, and return its trace."""
        attributes = {**_messaging('enqueue', 'send', call.queue), 'netbox_jobs.runner': call.runner}
        if call.count > 1:
            attributes['messaging.batch.message_count'] = call.count
        with _tracer().start_as_current_span(f'enqueue {call.runner}', kind=SpanKind.PRODUCER, attributes=attributes):
            return self.capture()

    @contextmanager
    def restore(self, value: dict[str, str]) -> Iterator[None]:
        """Continue the trace; around the run itself, within its span."""
        run, parent = runs.current_run(), propagate.extract(value)
        # Also entered for a job that does not run here: for the successor of a dead job, or to retry an ended one.
        if run is None or run.job.context.get(self.name) is not value:
            token = context.attach(parent)
            try:
                yield
            finally:
                context.detach(token)
            return
        below, links = self._place(parent)
        span = _tracer().start_span(
            f'process {run.job.runner}', below, SpanKind.CONSUMER, attributes=_of_run(run.job), links=links
        )
        try:
            with trace.use_span(span, record_exception=False, set_status_on_exception=False):
                yield
        finally:
            _record_end(span, run)
            span.end()

    def _place(self, parent: context.Context) -> tuple[context.Context, Sequence[Link]]:
        """Return below what the span of a run is, and with what it is linked."""
        return parent, ()


class LinkedTrace(Trace):
    """Begins a trace with each run, linked with the one of the call: for schedules, whose one trace would never end."""

    def _place(self, parent: context.Context) -> tuple[context.Context, Sequence[Link]]:
        return context.Context(), [Link(trace.get_current_span(parent).get_span_context())]


def _tracer() -> trace.Tracer:
    return trace.get_tracer('netbox_jobs', __version__)


def _messaging(name: str, kind: str, queue: str) -> dict[str, Any]:
    return {
        'messaging.system': 'netbox_jobs',
        'messaging.operation.name': name,
        'messaging.operation.type': kind,
        'messaging.destination.name': queue,
    }


def _of_run(job: Any) -> dict[str, Any]:
    return {
        **_messaging('process', 'process', job.queue_name),
        'messaging.message.id': str(job.job_id),
        'netbox_jobs.runner': job.runner,
        'netbox_jobs.job': job.pk,
        'netbox_jobs.attempt': job.attempt,
    }


def _record_end(span: Span, run: runs.Run) -> None:
    if run.job.ended:
        span.set_attribute('netbox_jobs.status', run.job.status)
    error = run.raised
    if error is not None:
        span.record_exception(error if run.secrets is None else run.secrets.safe(error))
        span.set_attribute('error.type', type(error).__qualname__)
    if error is not None or run.job.status in _UNSUCCESSFUL:
        span.set_status(Status(StatusCode.ERROR, runs.masked(run.job, str(error or run.job.error))[:1000]))

"""The trace continues from the request to the job and to its successor."""

import pytest
from django.utils import timezone
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from netbox_jobs.jobs import JobRunner
from netbox_jobs.lifecycle.successor import continue_chain
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Erring, Failing, Plain

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


class Spanning(JobRunner):
    """Has a span of its own, and fails the first time."""

    class Meta:
        max_retries = 1
        retry_backoff = (0,)

    def run(self, fail=False):
        with trace.get_tracer('shop').start_as_current_span('step'):
            if fail and self.job.retries == 0:
                raise RuntimeError('once')


@pytest.fixture(scope='module')
def exporter():
    """What is exported in this process. (OpenTelemetry takes one provider in the life of a process.)"""
    found = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(found))
    before, trace._TRACER_PROVIDER = trace._TRACER_PROVIDER, provider
    yield found
    trace._TRACER_PROVIDER = before


@pytest.fixture
def spans(exporter, settings):
    """The spans that have ended, in order, by their names."""
    settings.NETBOX_JOBS = {'CONTEXT': ['netbox_jobs.contrib.otel.Trace']}
    exporter.clear()
    return lambda name='': [span for span in exporter.get_finished_spans() if span.name.startswith(name)]


def parent(span):
    return span.parent.span_id if span.parent is not None else None


def request():
    """What a web framework's instrumentation does around a request."""
    return trace.get_tracer('web').start_as_current_span('GET /')


def test_the_trace_goes_on_from_the_request_to_the_job(spans, work):
    with request():
        job = Spanning.enqueue()
    work()
    (sent,), (run,), (step,), (page,) = spans('enqueue'), spans('process'), spans('step'), spans('GET')
    assert (parent(sent), parent(run), parent(step)) == (
        page.context.span_id,
        sent.context.span_id,
        run.context.span_id,
    )
    assert {span.context.trace_id for span in spans()} == {page.context.trace_id}
    path = 'tests.contrib.test_otel.Spanning'
    assert (sent.name, sent.kind, run.name, run.kind) == (
        f'enqueue {path}',
        SpanKind.PRODUCER,
        f'process {path}',
        SpanKind.CONSUMER,
    )
    shared = {'messaging.system': 'netbox_jobs', 'messaging.destination.name': 'default', 'netbox_jobs.runner': path}
    assert dict(sent.attributes) == {
        **shared,
        'messaging.operation.name': 'enqueue',
        'messaging.operation.type': 'send',
    }
    assert dict(run.attributes) == {
        **shared,
        'messaging.operation.name': 'process',
        'messaging.operation.type': 'process',
        'messaging.message.id': str(job.job_id),
        'netbox_jobs.job': job.pk,
        'netbox_jobs.attempt': 1,
        'netbox_jobs.status': 'completed',
    }
    assert run.status.status_code == StatusCode.UNSET


def test_the_trace_goes_on_to_the_successor(spans, work):
    job = Plain.enqueue_once(interval=60, schedule_at=timezone.now())
    work()
    successor = Job.objects.get(predecessor=job)
    Job.objects.filter(pk=successor.pk).update(due=0, scheduled=None, status='pending')
    first, second = spans('enqueue')
    (run,) = spans('process')
    assert parent(second) == run.context.span_id
    assert first.context.trace_id == second.context.trace_id
    assert successor.context['trace']['traceparent'].split('-')[2] == f'{second.context.span_id:016x}'


def test_the_successor_of_a_dead_job_is_no_run(spans):
    job = Plain.enqueue_once(interval=60)
    Job.objects.filter(pk=job.pk).update(status='errored', slot=None, completed=timezone.now())
    made = continue_chain(Schedule.objects.get(), 'default')
    assert made.context['trace'] != job.context['trace']
    first, second = spans('enqueue')
    assert parent(second) == first.context.span_id and not spans('process')


def test_a_retry_goes_on_in_the_trace_of_the_first_call_within_another_job_as_well(spans, work):
    job = Failing.enqueue()
    work()
    job.refresh_from_db()
    with request():
        job.retry()
    first, second = spans('enqueue')
    assert parent(second) == first.context.span_id


def test_errors_are_recorded_also_those_after_which_a_job_is_retried(spans, work):
    for runner, message in ((Erring, 'unexpected'), (Failing, 'expected')):
        runner.enqueue()
        work()
        run = spans('process')[-1]
        assert (run.status.status_code, run.status.description) == (StatusCode.ERROR, message)
        (event,) = run.events
        assert (event.name, event.attributes['exception.message']) == ('exception', message)
    assert run.attributes['error.type'] == 'JobFailed'
    Spanning.enqueue(fail=True)
    work()
    run = spans('process')[-1]
    assert (run.status.status_code, run.attributes['netbox_jobs.attempt']) == (StatusCode.ERROR, 1)
    assert 'netbox_jobs.status' not in run.attributes  # it has not ended


def test_a_batch_has_one_span(spans, work):
    with request():
        Plain.enqueue_many([{}, {}, {}], queue_name='low')
    (sent,) = spans('enqueue')
    assert sent.attributes['messaging.batch.message_count'] == 3
    assert sent.attributes['messaging.destination.name'] == 'low'
    work()
    assert [parent(run) for run in spans('process')] == [sent.context.span_id] * 3


def test_a_call_that_is_refused_has_no_span(spans):
    for wrong in ({'queue_name': 'none'}, {'interval': 0}):
        with pytest.raises(ValueError):
            Plain.enqueue(**wrong)
    assert not spans()


def test_each_run_can_begin_a_trace_that_is_linked(spans, settings, work):
    settings.NETBOX_JOBS = {'CONTEXT': ['netbox_jobs.contrib.otel.LinkedTrace']}
    with request():
        Plain.enqueue()
    work()
    (sent,), (run,) = spans('enqueue'), spans('process')
    assert run.parent is None and run.context.trace_id != sent.context.trace_id
    assert [link.context.span_id for link in run.links] == [sent.context.span_id]

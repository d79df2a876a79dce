"""The values of `Meta.sensitive` are not in what Sentry and OpenTelemetry receive."""

import pytest
import sentry_sdk
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.transport import Transport

from tests.security.runners import MARKER, Leaking

pytestmark = pytest.mark.django_db(transaction=True)


class Kept(Transport):
    def __init__(self):
        super().__init__()
        self.sent = []

    def capture_envelope(self, envelope):
        self.sent += [item.get_bytes().decode() for item in envelope.items]


def assert_hidden(text):
    assert 'MARKER' not in text and '0-secret' not in text, text


def test_sentry_receives_no_sensitive_value_also_not_in_local_variables(settings, work):
    settings.NETBOX_JOBS = {'CONTEXT': ['netbox_jobs.contrib.sentry.Sentry']}
    transport = Kept()
    with sentry_sdk.isolation_scope():
        before = sentry_sdk.get_global_scope().client
        sentry_sdk.init(
            dsn='http://key@localhost/1', transport=transport, release='1', traces_sample_rate=1.0,
            default_integrations=False, auto_enabling_integrations=False,
            integrations=[LoggingIntegration()],
        )  # fmt: skip
        try:
            Leaking.using(max_retries=0).enqueue(token=MARKER, more=[MARKER])
            work()
        finally:
            sentry_sdk.get_client().close(timeout=0)
            sentry_sdk.get_global_scope().set_client(before)
    errors = [text for text in transport.sent if '"exception"' in text]
    assert errors and any('"vars"' in text for text in errors)
    for text in transport.sent:
        assert_hidden(text)


def test_spans_have_no_sensitive_value(settings, work, monkeypatch):
    settings.NETBOX_JOBS = {'CONTEXT': ['netbox_jobs.contrib.otel.Trace']}
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, '_TRACER_PROVIDER', provider)
    Leaking.using(max_retries=0).enqueue(token=MARKER)
    work()
    spans = exporter.get_finished_spans()
    assert any(span.events for span in spans)
    for span in spans:
        assert_hidden(span.to_json())

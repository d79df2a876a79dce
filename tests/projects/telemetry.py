"""A project that sets up at its start what is to be ended in order: telemetry, logging, exit handlers."""

import atexit
import logging
import os
from pathlib import Path

import sentry_sdk
from django.apps import AppConfig
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from sentry_sdk.transport import Transport

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

FOLDER = Path(os.environ['TEST_FOLDER'])


class FileTransport(Transport):
    """Holds the events until a call sends them."""

    _held = ()

    def capture_envelope(self, envelope):
        self._held = [*self._held, envelope.get_event()['message']]

    def flush(self, timeout, callback=None):
        note('sentry', ','.join(self._held))
        self._held = ()


def note(name, line):
    with open(FOLDER / name, 'a') as file:
        file.write(f'{line}\n')


provider = TracerProvider()
spans = (FOLDER / 'spans').open('a')
exporter = ConsoleSpanExporter(out=spans, formatter=lambda span: f'{span.name}\n')
provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=600_000))
trace.set_tracer_provider(provider)
sentry_sdk.init(dsn='http://key@127.0.0.1/1', transport=FileTransport, default_integrations=False)
LOGGING = {
    'version': 1,
    'disable_existing_loggers': False,
    'handlers': {
        'file': {'class': 'logging.FileHandler', 'filename': FOLDER / 'held', 'delay': True},
        'held': {'class': 'logging.handlers.MemoryHandler', 'capacity': 1000, 'target': 'file'},
    },
    'loggers': {'tests.held': {'handlers': ['held']}},
}
INSTALLED_APPS = [*INSTALLED_APPS, 'tests.projects.telemetry.Early']


class Early(AppConfig):
    name = 'tests.projects'
    label = 'early'

    def ready(self):
        logging.getLogger('tests.held').warning('parent')


atexit.register(lambda: note('exits', os.getpid()))

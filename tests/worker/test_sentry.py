"""Sentry receives what the jobs of real workers report, by its own SDK and over HTTP."""

import gzip
import json
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from django.utils import timezone

from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job
from tests.app.jobs import Erring, Failing, Plain
from tests.processes import status, wait_for

sentry_sdk = pytest.importorskip('sentry_sdk')
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process, pytest.mark.once]


class Logging(JobRunner):
    def run(self):
        self.logger.error('an error of the log')
        sentry_sdk.capture_message('a message')


@pytest.fixture
def sentry():
    """A server that keeps what it is sent: pairs of the type and the content of each item."""
    found = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers['Content-Length']))
            if self.headers.get('Content-Encoding') == 'gzip':
                body = gzip.decompress(body)
            _envelope, *lines = body.splitlines()
            for head, item in zip(lines[::2], lines[1::2], strict=True):
                found.append((json.loads(head)['type'], json.loads(item)))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{}')

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(('127.0.0.1', 0), Receiver) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield found, f'http://key@127.0.0.1:{server.server_port}/1'
        server.shutdown()


@pytest.mark.parametrize('arguments', [(), ('--fast',)])
def test_sentry_receives_each_run_by_its_runner_each_error_once_and_the_check_ins(
    sentry, settings, start_worker, arguments
):
    found, dsn = sentry
    settings.NETBOX_JOBS = {**settings.NETBOX_JOBS, 'CONTEXT': ['netbox_jobs.contrib.sentry.SentryWithMonitors']}
    given = {'DJANGO_SETTINGS_MODULE': 'tests.projects.sentry', 'TEST_SENTRY': dsn}
    Plain.enqueue_once(interval=60, schedule_at=timezone.now())
    Erring.enqueue_once(interval=60, schedule_at=timezone.now())
    runners = [Plain, Failing, Erring, Logging]
    jobs = [runner.enqueue() for runner in runners]
    jobs += Job.objects.exclude(schedule=None)
    worker = start_worker('default', *arguments, **given)
    for job in jobs:
        wait_for(lambda job=job: status(job) in ('completed', 'errored', 'failed'))
    assert worker.stop() == 0

    named = [(kind, item, item.get('transaction')) for kind, item in found]
    assert 'netbox_jobs.execution.perform' not in {name for _kind, _item, name in named}
    paths = [f'{runner.__module__}.{runner.__qualname__}' for runner in (*runners, Plain, Erring)]
    runs = Counter(name for kind, _item, name in named if kind == 'transaction')
    assert {name: runs[name] for name in paths} == Counter(paths)  # the worker has a system job besides
    assert sorted((name, subject(item)) for kind, item, name in named if kind == 'event') == [
        ('tests.app.jobs.Erring', 'unexpected'),
        ('tests.app.jobs.Erring', 'unexpected'),
        ('tests.app.jobs.Failing', 'expected'),
        ('tests.worker.test_sentry.Logging', 'a message'),
        ('tests.worker.test_sentry.Logging', 'an error of the log'),
    ]
    plain, erring = (
        [item for kind, item in found if kind == 'check_in' and item['monitor_slug'] == slug]
        for slug in ('plain', 'erring')
    )
    assert [item['status'] for item in plain] == ['in_progress', 'ok']
    assert [item['status'] for item in erring] == ['in_progress', 'error']


def subject(event):
    """What an event is about: an exception, a line of a log, or a message."""
    if 'exception' in event:
        return event['exception']['values'][-1]['value']
    return event['logentry']['message'] if 'logentry' in event else event['message']

"""Requests that Schemathesis makes from the schema of the API: it finds nothing."""

import os
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from rest_framework.authentication import BasicAuthentication

from netbox_jobs.contrib.rest import events
from netbox_jobs.contrib.rest.base import JobsAPI
from netbox_jobs.execution.entry import run_delivered
from netbox_jobs.models import Job, JobLogEntry, Progress, Schedule, Worker
from tests.app.jobs import Erring, Failing, Plain, Talking
from tests.app.models import Thing

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once, pytest.mark.chaos]

HEADERS = {'Authorization': 'Basic Ym9zczp4'}
#: How many requests of each kind each operation receives; CI asks for more.
EXAMPLES = int(os.environ.get('TEST_EXAMPLES', '10'))
#: Into how many tests the operations are divided, so that several processes share them.
PARTS = 4


def fill() -> None:
    """A job of each status, with everything that a job can have."""
    user = get_user_model().objects.create_superuser('boss', password='x')
    Worker.objects.create(token='w', name='w', host='h', pid=1, queues='default')
    thing = Thing.objects.create()
    for runner in (Plain, Failing, Erring, Talking):
        run_delivered(str(runner.enqueue(instance=thing, user=user).job_id))
    running = Plain.enqueue()
    running.start()
    Job.objects.filter(pk=running.pk).update(worker='w')
    Progress.objects.create(job=running, current=1, total=3, attempt=1)
    JobLogEntry.objects.create(job=running, level='info', message='said')
    Plain.enqueue().cancel()
    Plain.enqueue(schedule_at=timezone.now() + timedelta(days=1))
    for minutes in range(1, 10):
        Talking.enqueue_once(instance=Thing.objects.create(), interval=minutes, user=user)


def known(path: str) -> dict:
    """The parameters of a path, so that it is that of a row."""
    if '{name}' in path:
        return {'name': 'low'}
    rows = Schedule.objects if '/schedules/' in path else Job.objects.exclude(status='running')
    return {'id': rows.order_by('pk').values_list('pk', flat=True).last()} if '{id}' in path else {}


@pytest.mark.timeout(600)
@pytest.mark.parametrize('part', range(PARTS))
def test_schemathesis_finds_nothing(settings, monkeypatch, part):
    import schemathesis  # here, as it takes its time in every process that collects this file
    from schemathesis import GenerationMode

    settings.ALLOWED_HOSTS = ['localhost']
    # One kind of credentials, so that those that Schemathesis makes up are never beside valid ones.
    monkeypatch.setattr(JobsAPI, 'authentication_classes', [BasicAuthentication], raising=False)
    monkeypatch.setattr(events, 'LONGEST', 0)  # what a stream has sent at first is enough
    monkeypatch.setitem(connection.settings_dict, 'CONN_MAX_AGE', None)  # a new one for each request takes its time
    fill()
    schema = schemathesis.openapi.from_wsgi('/api/schema/', get_wsgi_application(), headers=HEADERS)
    operations = [each.ok() for each in schema.get_all_operations()]
    assert len(operations) > 20

    for operation in operations[part::PARTS]:
        given_paths = [{}, known(operation.path)] if '{' in operation.path else [{}]
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            for parameters in given_paths:
                check(operation, operation.as_strategy(mode, path_parameters=parameters or None))


def check(operation, cases):
    @given(case=cases)
    @hypothesis_settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    def run(case):
        case.call_and_validate(headers=HEADERS)

    run()

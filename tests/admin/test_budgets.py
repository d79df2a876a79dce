"""What a page may cost: 100 KB, 30 queries, and three requests of ours beside those of Django's admin."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from netbox_jobs.models import Job, JobLogEntry, QueueLimit, Schedule, Worker, Workflow
from tests.app.jobs import Plain
from tests.app.models import Thing

from .helpers import user

SIZE, QUERIES, REQUESTS = 100_000, 30, 3
PAGES = (
    'job_changelist', 'job_overview', 'job_errors', 'job_performance', 'schedule_changelist', 'schedule_calendar',
    'worker_changelist', 'workflow_changelist', 'auditentry_changelist', 'queuelimit_changelist',
)  # fmt: skip


def fill():
    """Fifty schedules, and as many causes of errors in all hours; a running job, a schedule and a workflow of them."""
    now, thing = timezone.now(), Thing.objects.create(name='Warehouse Berlin')
    Worker.objects.create(token='w', name='worker of a test', host='host', pid=1, queues='default')
    for number in range(50):
        made = Schedule.objects.create(
            key=uuid.uuid4().hex, runner='shop.jobs.Report', name=f'Report {number}', queue_name='default', interval=300
        )
        common = {'name': f'Report of warehouse {number}', 'runner': 'shop.jobs.Report', 'queue_name': 'default'}
        Job.objects.create(
            status='scheduled', scheduled=now + timedelta(hours=1), slot=made.pk, schedule=made, **common
        )
        Job.objects.bulk_create(
            Job(
                status='errored', error=f"ValueError('{f'no {number}, ' * 20}')", started=now, object=thing,
                completed=now - timedelta(hours=hours), ran_on=f'worker-{hours % 3}.of-a-test',
                fingerprint=f'{number:016x}', execution_time=timedelta(seconds=2), schedule=made, **common,
            )
            for hours in range(24)
        )  # fmt: skip
    job = Job.objects.create(status='running', started=now, worker='w', attempt=1, **common)
    JobLogEntry.objects.bulk_create(JobLogEntry(job=job, level='info', message=f'line {n}') for n in range(100))
    with Workflow.begin('Import') as flow:
        flow.add_many(Plain, [{} for _ in range(100)], name='Part')
    for number in range(50):
        with Workflow.begin(f'Import {number}') as other:
            other.add('fetch', Plain)
        other.cancel(user=user())
    QueueLimit.set('low', 3)
    return job, made, flow


def paths(job, made, flow):
    found = [reverse(f'admin:netbox_jobs_{name}') for name in PAGES]
    found += [found[0] + '?q=error:no', found[0] + '?status=errored']
    found.append(reverse('admin:netbox_jobs_job_change', args=(job.pk,)))
    found.append(reverse('admin:netbox_jobs_schedule_change', args=(made.pk,)))
    found.append(reverse('admin:netbox_jobs_workflow_change', args=(flow.pk,)))
    return found


@pytest.mark.once
@pytest.mark.django_db
def test_every_page_is_small_and_asks_little(admin_client):
    costs = {}
    for path in paths(*fill()):
        with CaptureQueriesContext(connection) as queries:
            answer = admin_client.get(path)
        assert answer.status_code == 200, path
        costs[path] = (len(answer.content), len(queries))
    assert {path: cost for path, cost in costs.items() if cost[0] > SIZE or cost[1] > QUERIES} == {}


@pytest.mark.browser
@pytest.mark.once
@pytest.mark.django_db(transaction=True)
def test_every_page_makes_few_requests(visit):
    first, *others = paths(*fill())
    requests = []
    page = visit(first)
    page.on('request', lambda request: requests.append(request.url))
    home = page.url.removesuffix(first)
    for path in (first, *others):
        requests.clear()
        page.goto(home + path, wait_until='load')
        ours = {url for url in requests if '/static/netbox_jobs/' in url}
        assert len(ours) <= REQUESTS, ours

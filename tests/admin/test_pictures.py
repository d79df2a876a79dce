"""The pictures of the documentation: `make pictures` takes them anew; each run of the tests checks that they can be."""

import os
import random
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone

from example_plugin.models import Source
from netbox_jobs.core.clock import to_ms
from netbox_jobs.core.errors import fingerprint
from netbox_jobs.models import Job, JobLogEntry, JobStack, Progress, Schedule, Worker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.once]

RUNNERS = ('shop.jobs.SyncJob', 'shop.reports.MonthlyReportJob', 'billing.jobs.SendInvoicesJob')
ERRORS = (
    "ConnectionError('no answer from 10.0.0.7')",
    "ValueError('row 17: the amount is missing')",
    "KeyError('price')",
)
SCHEDULES = (
    ('Nightly report', {'cron': '0 3 * * 1-5'}, 9), ('Sync Warehouse Berlin', {'interval': 360}, 1),
    ('Housekeeping', {'interval': 5}, 0.05), ('Invoices', {'cron': '30 6 * * *'}, 12),
    ('Late digest', {'interval': 1440}, -1),
)  # fmt: skip
STACK = """The job:
  File "/srv/shop/shop/jobs.py", line 42, in run
    self.fetch(page)
  File "/srv/shop/shop/jobs.py", line 61, in fetch
    response = session.get(url)
  File "/usr/lib/python3.12/site-packages/urllib3/connectionpool.py", line 534, in _make_request
    response = conn.getresponse()
"""


@pytest.fixture
def scene():
    """A shop at work; returns its running job."""
    now, dice = timezone.now(), random.Random(1)
    names = ('Warehouse Berlin', 'Supplier catalogue', 'Customers')
    sources = [Source.objects.create(name=name, url='https://example.com') for name in names]
    Worker.objects.create(token='w', name='web-1.4711', host='web-1', pid=4711, queues='high,default,low')
    for number in range(60):
        status = dice.choice(('completed',) * 6 + ('errored', 'failed', 'canceled'))
        runner, began = dice.choice(RUNNERS), now - timedelta(minutes=23 * (60 - number))
        error = dice.choice(ERRORS) if status in ('errored', 'failed') else ''
        source, took = dice.choice(sources), timedelta(seconds=dice.randint(1, 190))
        Job.objects.create(
            name=f'{runner.rpartition(".")[2]} {source}', runner=runner, status=status, object=source, due=1,
            queue_name=dice.choice(('default', 'low', 'high')), created=began - timedelta(seconds=took.seconds // 9),
            started=began, attempt=1,
            completed=began + took, execution_time=took, error=error,
            fingerprint=fingerprint(runner, error) if error else '',
        )  # fmt: skip
    for name, recurs, hours in SCHEDULES:
        common = {'runner': RUNNERS[1], 'name': name, 'queue_name': 'default'}
        made = Schedule.objects.create(key=uuid.uuid4().hex, runs=17, **recurs, **common)
        due = now + timedelta(hours=hours)
        due = made.recurrence.next(due, now) if made.cron else due
        Job.objects.create(status='scheduled', schedule=made, slot=made.pk, scheduled=due, due=to_ms(due), **common)
    began = now - timedelta(minutes=14)
    job = Job.objects.create(
        name='Sync Warehouse Berlin', runner=RUNNERS[0], status='running', worker='w', object=sources[0], attempt=1,
        queue_name='default', created=began, started=began, due=1, arguments_shown='pages=160\nfull=True',
    )  # fmt: skip
    Progress.objects.create(job=job, current=1234, total=4800, message='Storing products', began=began)
    JobStack.objects.create(
        job=job, taken=now, stack=STACK, samples=5, same=5, host='web-1', pid=4712, memory=183_500_800, cpu=0.4
    )
    lines = [f'Page {number}: 30 products stored' for number in range(12)]
    JobLogEntry.objects.bulk_create(JobLogEntry(job=job, level='info', message=line) for line in lines)
    return job


def test_the_pictures_of_the_documentation_can_be_taken(visit, scene, tmp_path):
    folder = Path(os.environ.get('PICTURES') or tmp_path)
    pages = {
        'list': ('job_changelist', (), 1280, 800),
        'job': ('job_change', (scene.pk,), 1280, 1250),
        'overview': ('job_overview', (), 1280, 1000),
        'errors': ('job_errors', (), 1280, 480),
        'calendar': ('schedule_calendar', (), 1280, 760),
        'narrow': ('job_changelist', (), 390, 844),
    }
    for name, (path, arguments, width, height) in pages.items():
        page = visit(reverse(f'admin:netbox_jobs_{path}', args=arguments), width=width)
        page.set_viewport_size({'width': width, 'height': height})
        page.locator('#content').wait_for()
        page.screenshot(path=folder / f'{name}.png')
        assert (folder / f'{name}.png').stat().st_size > 10_000
        page.context.close()

"""A shop at work: what the pictures of the admin show."""

import random
import uuid
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from example_plugin.models import Source
from netbox_jobs.core.clock import to_ms
from netbox_jobs.core.errors import fingerprint
from netbox_jobs.models import (
    Job,
    JobLogEntry,
    JobStack,
    JobStep,
    MutedError,
    PausedQueue,
    Progress,
    QueueLimit,
    Schedule,
    Worker,
    Workflow,
)
from tests.app.jobs import Plain

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


def build():
    """Make the rows; return the running job."""
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


def build_all():
    """Make the rows, and some of every other kind; return the addresses of all pages by name."""
    running, now = build(), timezone.now()
    common = {'runner': RUNNERS[0], 'queue_name': 'low', 'attempt': 1, 'object': running.object}
    suspended = Schedule.objects.create(
        key='suspended', runner=RUNNERS[2], name='Send invoices', queue_name='low', interval=60, runs=3,
        suspended='The last 5 runs failed.',
    )  # fmt: skip
    paused = Schedule.objects.create(
        key='paused', runner=RUNNERS[2], name='Clean up', queue_name='low', cron='15 */2 * * *', paused=True
    )
    waiting = Job.objects.create(name='Sync Supplier catalogue', status='pending', due=to_ms(now), **common)
    Job.objects.create(
        name='Sync Supplier catalogue', status='completed', arguments_shown='pages=40\nfull=False\nregion=EU',
        started=now - timedelta(minutes=9), completed=now - timedelta(minutes=8), created=now - timedelta(minutes=9),
        execution_time=timedelta(seconds=40), **common,
    )  # fmt: skip
    error = "ConnectionError('no answer from 10.0.0.7')"
    failed = Job.objects.create(
        name='Sync Supplier catalogue', status='errored', error=error, fingerprint=fingerprint(RUNNERS[0], error),
        arguments_shown='pages=160\nfull=True\nregion=EU', started=now - timedelta(minutes=3), completed=now,
        created=now - timedelta(minutes=4), execution_time=timedelta(minutes=3),
        data={'pages': 37, 'stored': 1110}, worker='w', **common,
    )  # fmt: skip
    again = Job.objects.create(
        name='Sync Supplier catalogue',
        status='scheduled',
        due=to_ms(now + timedelta(hours=1)),
        retry_of=failed,
        **common,
    )
    JobStep.objects.create(job=again, key='fetch', name='fetch', started=now, completed=now, result_shown='[17, 18]')
    JobStep.objects.create(job=again, key='approved', kind='wait', name='approved', started=now)
    MutedError.mute(fingerprint(RUNNERS[1], ERRORS[2]))
    for level, message in (
        ('info', 'Page 36: 30 products'),
        ('warning', 'Page 37 is slow'),
        ('error', f'{error}\nTraceback (most recent call last):\n{STACK.split(chr(10), 1)[1]}'),
    ):
        JobLogEntry.objects.create(job=failed, level=level, message=message)
    with Workflow.begin('Monthly import') as flow:
        flow.add('fetch', Plain)
        for part in ('products', 'customers', 'prices'):
            flow.add(part, Plain, after='fetch')
        flow.add('report', Plain, after=['products', 'customers', 'prices'])
    with Workflow.begin('Old import') as other:
        other.add('fetch', Plain)
    boss = get_user_model().objects.create_user('anna', is_staff=True)
    other.cancel(user=boss)
    QueueLimit.set('low', 3, user=boss)
    PausedQueue.pause('high', user=boss)
    schedule = Schedule.objects.get(name='Nightly report')

    def url(name, *args):
        return reverse(f'admin:netbox_jobs_{name}', args=args)

    jobs = url('job_changelist')
    return {
        'list': jobs, 'list-empty': f'{jobs}?status=failed&queue=nowhere', 'list-search': f'{jobs}?q=error:answer',
        'overview': url('job_overview'), 'errors': url('job_errors') + '?period=7d',
        'performance': url('job_performance'),
        'job-running': url('job_change', running.pk), 'job-waiting': url('job_change', waiting.pk),
        'job-errored': url('job_change', failed.pk), 'job-retry': url('job_change', again.pk),
        'job-stop': url('job_stop', running.pk),
        'job-delete': url('job_delete', failed.pk),
        'schedules': url('schedule_changelist'), 'schedule': url('schedule_change', schedule.pk),
        'schedule-suspended': url('schedule_change', suspended.pk),
        'schedule-paused': url('schedule_change', paused.pk),
        'schedule-end': url('schedule_end', schedule.pk), 'calendar': url('schedule_calendar'),
        'workers': url('worker_changelist'), 'workflows': url('workflow_changelist'),
        'workflow': url('workflow_change', flow.pk), 'audit': url('auditentry_changelist'),
        'limits': url('queuelimit_changelist'),
        'object': reverse('admin:example_plugin_source_change', args=(running.object_id,)),
        'object-jobs': jobs + f'?about={running.object_type_id}:{running.object_id}',
        'plugin': reverse('example_plugin:source', args=(running.object_id,)),
    }  # fmt: skip

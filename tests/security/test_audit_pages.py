"""The audit trail: what each interface records, and where it can be read."""

import io
import json

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command

from netbox_jobs.context import acting
from netbox_jobs.lifecycle import audit
from netbox_jobs.models import AuditEntry, PausedQueue, Worker
from tests.app.jobs import Plain

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada():
    return get_user_model().objects.create_superuser('ada')


@pytest.fixture
def browser(client, ada):
    client.force_login(ada)
    return client


def told():
    """What the trail says, oldest first."""
    rows = AuditEntry.objects.order_by('pk')
    return [(row.actor, row.face, row.action, row.object_type, row.object_id) for row in rows]


def command(*arguments):
    out = io.StringIO()
    call_command('jobs', *arguments, stdout=out, stderr=out)
    return out.getvalue()


def ended():
    return Plain.enqueue(immediate=True)


def _schedule():
    return Plain.enqueue_once(interval=60).schedule


def _worker():
    return Worker.objects.create(token='t', name='w', host='h', pid=1, queues='default')


def test_actions_in_the_admin_are_recorded(browser):
    waiting, done, gone, schedule, worker = Plain.enqueue(), ended(), ended(), _schedule(), _worker()
    page = '/admin/netbox_jobs'
    browser.post(f'{page}/job/{waiting.pk}/cancel/')
    browser.post(f'{page}/job/{done.pk}/retry/')
    browser.post(f'{page}/job/{gone.pk}/delete/')
    browser.post(f'{page}/schedule/{schedule.pk}/change/', {'interval': '7', 'preview': '1'})
    browser.post(f'{page}/schedule/{schedule.pk}/change/', {'interval': '7'})
    browser.post(f'{page}/schedule/{schedule.pk}/pause/')
    browser.post(f'{page}/job/overview/queue/', {'do': 'pause', 'name': 'low'})
    browser.post(f'{page}/job/overview/queue/', {'do': 'resume', 'name': 'low'})
    browser.post(f'{page}/worker/{worker.pk}/leave/')
    assert told() == [
        ('ada', 'admin', *each)
        for each in (
            ('cancel', 'job', str(waiting.pk)),
            ('retry', 'job', str(done.pk)),
            ('delete', 'job', str(gone.pk)),
            ('change', 'schedule', str(schedule.pk)),
            ('pause', 'schedule', str(schedule.pk)),
            ('pause', 'queue', 'low'),
            ('resume', 'queue', 'low'),
            ('leave', 'worker', str(worker.pk)),
        )
    ]


def test_buttons_on_pages_and_commands_are_recorded(browser):
    first, second, third = (Plain.enqueue() for _ in range(3))
    done = ended()
    browser.post(f'/jobs/{first.pk}/stop/')
    browser.post(f'/jobs/{done.pk}/retry/')
    command('cancel', str(second.pk), '--yes')
    command('pause', 'low')
    third.cancel()
    *web, canceled, paused = told()
    assert web == [('ada', 'web', 'stop', 'job', str(first.pk)), ('ada', 'web', 'retry', 'job', str(done.pk))]
    assert canceled[0].startswith('command line as ')
    assert canceled[1:] == ('command line', 'cancel', 'job', str(second.pk))
    assert paused[1:] == ('command line', 'pause', 'queue', 'low')


def test_several_selected_jobs_are_one_entry(browser):
    jobs = [Plain.enqueue() for _ in range(2)]
    given = {'action': 'cancel', 'job': [job.pk for job in jobs], 'confirmed': '1'}
    browser.post('/admin/netbox_jobs/job/bulk/', given)
    assert told() == [('ada', 'admin', 'cancel', 'job', '')]
    assert sorted(AuditEntry.objects.get().details['ids']) == [job.pk for job in jobs]


def test_the_pages_show_the_trail_to_users_who_may_see_it(browser, client_with):
    job, schedule = Plain.enqueue(name='Fetch <b>'), _schedule()
    browser.post(f'/admin/netbox_jobs/job/{job.pk}/cancel/')
    browser.post(f'/admin/netbox_jobs/schedule/{schedule.pk}/pause/')
    other = Plain.enqueue()
    with acting(name='nightly <i>'), audit.several('cancel', {'status': 'pending'}):
        other.cancel()
    page = browser.get('/admin/netbox_jobs/auditentry/').content.decode()
    assert 'Fetch &lt;b&gt;' in page and 'nightly &lt;i&gt;' in page and 'status=pending' in page
    assert 'status: pending → canceled' in page
    assert browser.get('/admin/netbox_jobs/auditentry/?q=ada&action=cancel').status_code == 200
    for address, text in (
        (f'job/{job.pk}', 'ada'), (f'job/{other.pk}', 'nightly'), (f'schedule/{schedule.pk}', 'paused: False → True'),
    ):  # fmt: skip
        address = f'/admin/netbox_jobs/{address}/change/'
        assert 'nj-audit-title' in browser.get(address).content.decode()
        assert text in browser.get(address).content.decode()
        assert 'nj-audit-title' not in client_with('view_job', 'view_schedule').get(address).content.decode()
    assert client_with('view_job').get('/admin/netbox_jobs/auditentry/').status_code == 403
    assert client_with('view_auditentry').get('/admin/netbox_jobs/auditentry/').status_code == 200


def test_no_page_changes_an_entry(browser, ada):
    Plain.enqueue().cancel(user=ada)
    entry = AuditEntry.objects.get()
    for address in ('add/', f'{entry.pk}/change/', f'{entry.pk}/delete/'):
        browser.post(f'/admin/netbox_jobs/auditentry/{address}', {'post': 'yes', 'actor': 'eve'})
    assert list(AuditEntry.objects.values()) == list(AuditEntry.objects.filter(pk=entry.pk, actor='ada').values())


def test_the_command_lists_and_filters_the_trail(ada):
    job, schedule = Plain.enqueue(name='a\x1b[31mb'), _schedule()
    job.cancel(user=ada)
    schedule.pause(user=ada)
    PausedQueue.pause('low', user=ada)
    assert '\x1b' not in command('audit') and len(command('audit').splitlines()) == 4
    for options, actions in (
        (('--job', str(job.pk)), ['cancel']),
        (('--schedule', str(schedule.pk)), ['pause']),
        (('--queue', 'low'), ['pause']),
        (('--action', 'pause', '--user', 'ada', '--since', '1h', '--limit', '1'), ['pause']),
    ):
        documents = json.loads(command('audit', *options, '--json'))
        assert [each['action'] for each in documents] == actions
    assert documents[0].keys() >= {'id', 'time', 'actor', 'user', 'face', 'type', 'object', 'name', 'count', 'details'}
    assert 'The audit trail has no such entry' in command('audit', '--job', '0')

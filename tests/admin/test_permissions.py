"""The admin's pages: who may see and do what."""

import pytest
from django.contrib.contenttypes.models import ContentType

from example_plugin.models import Source
from netbox_jobs.broker.connection import close_circuits
from netbox_jobs.models import Job, JobLogEntry, PausedQueue, Schedule, Worker
from tests.admin.helpers import body, client, make, url
from tests.app.jobs import Plain

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


def read_urls(job, schedule, worker):
    return [
        url('job_changelist'),
        url('job_live_list'),
        url('job_overview'),
        url('job_overview_live'),
        url('job_change', job.pk),
        url('job_live', job.pk),
        url('job_log', job.pk),
        url('job_log_text', job.pk),
        url('job_log_line', job.pk, JobLogEntry.objects.first().pk),
        url('job_arguments', job.pk),
        url('job_data', job.pk),
        url('job_error', job.pk),
        url('job_history', job.pk),
        url('job_of', ContentType.objects.get_for_model(Source).pk, 1),
        url('schedule_changelist'),
        url('schedule_change', schedule.pk),
        url('worker_changelist'),
        url('worker_change', worker.pk),
    ]


def write_urls(job, schedule):
    return [
        *(url(f'job_{verb}', job.pk) for verb in ('cancel', 'stop', 'retry', 'delete')),
        url('job_bulk'),
        url('job_queue'),
        *(url(f'schedule_{verb}', schedule.pk) for verb in ('pause', 'resume', 'run', 'end', 'change')),
    ]


@pytest.fixture
def rows():
    job = make('failed', name='hush', error='secret', arguments_shown='secret', data={'secret': 1})
    JobLogEntry.objects.create(job=job, level='info', message='secret')
    schedule = Schedule.objects.create(key='k', runner='x', name='hush', queue_name='default', interval=5)
    worker = Worker.objects.create(token='w', name='hush', host='h', pid=1, queues='default')
    return job, schedule, worker


def test_without_permission_nothing_is_seen_on_any_address(rows):
    browser = client()
    for address in read_urls(*rows):
        response = browser.get(address)
        assert response.status_code in (403, 404), address
        assert 'hush' not in body(response) and 'secret' not in body(response), address
    for address in write_urls(*rows[:2]):
        assert browser.post(address, {'action': 'delete', 'job': rows[0].pk, 'name': 'low'}).status_code in (403, 404)
    assert Job.objects.count() == 1 and Schedule.objects.filter(paused=False).count() == 1


def test_what_is_there_and_what_is_not_are_refused_alike_without_permission(rows):
    browser = client()
    for name in ('job_live', 'job_log', 'job_change'):
        there, missing = browser.get(url(name, rows[0].pk)), browser.get(url(name, 999_999))
        assert (there.status_code, there.content) == (missing.status_code, missing.content)


def test_who_is_not_staff_gets_in_nowhere_and_polling_gets_a_refusal_instead_of_a_login_page(rows):
    browser = client('view_job', staff=False)
    for address in read_urls(*rows):
        response = browser.get(address)
        assert response.status_code in (302, 403), address
        if 'live' in address or address.endswith('/log/') or '/of/' in address:
            assert response.status_code == 403, address


@pytest.mark.parametrize(
    ('verb', 'permission', 'status'),
    [
        ('cancel', 'cancel_job', 'pending'),
        ('stop', 'cancel_job', 'running'),
        ('retry', 'retry_job', 'failed'),
        ('delete', 'delete_job', 'failed'),
    ],
)
def test_each_deed_needs_its_own_permission_post_and_the_token(verb, permission, status):
    job = Plain.enqueue(immediate=True) if verb == 'retry' else make(status)
    status = job.status
    for others in (
        ('view_job',),
        ('view_job', *({'cancel_job', 'retry_job', 'delete_job'} - {permission})),
        (permission,),
    ):
        assert client(*others).post(url(f'job_{verb}', job.pk)).status_code == 403
        assert client(*others).post(url('job_bulk'), {'action': verb, 'job': job.pk, 'confirmed': 1}).status_code == 403
    page = body(client('view_job').get(url('job_change', job.pk)))
    assert f'/{verb}/' not in page
    allowed = ('view_job', permission)
    assert client(*allowed, csrf=True).post(url(f'job_{verb}', job.pk)).status_code == 403  # without the token
    assert client(*allowed).get(url(f'job_{verb}', job.pk)).status_code == 200  # which asks, and does nothing
    assert Job.objects.get(pk=job.pk).status == status and Job.objects.count() == 1
    assert f'/{verb}/' in body(client(*allowed).get(url('job_change', job.pk)))
    assert client(*allowed).post(url(f'job_{verb}', job.pk)).status_code == 302
    after = Job.objects.filter(pk=job.pk).first()
    if verb == 'cancel':
        assert after.status == 'canceled'
    elif verb == 'stop':
        assert after.stopping is not None
    elif verb == 'retry':
        assert Job.objects.get(retry_of=job).status == 'pending'
    else:
        assert after is None


def test_schedules_and_queues_need_their_permissions():
    job = Plain.enqueue_once(interval=60)
    schedule = job.schedule
    looks = client('view_job', 'view_schedule')
    for verb in ('pause', 'resume', 'run', 'end'):
        assert looks.post(url(f'schedule_{verb}', schedule.pk)).status_code == 403
    assert looks.post(url('job_queue'), {'name': 'low', 'do': 'pause'}).status_code == 403
    assert looks.post(url('schedule_change', schedule.pk), {'interval': 5}).status_code == 403
    manages = client('view_job', 'manage_schedule', 'pause_queue')
    manages.post(url('schedule_pause', schedule.pk))
    assert Schedule.objects.get().paused
    manages.post(url('schedule_resume', schedule.pk))
    assert not Schedule.objects.get().paused
    manages.post(url('schedule_change', schedule.pk), {'cron': '0 3 * * *', 'time_zone': 'Europe/Berlin'})
    assert str(Schedule.objects.get().recurrence) == '0 3 * * * (Europe/Berlin)'
    assert 'expected five fields' in body(manages.post(url('schedule_change', schedule.pk), {'cron': 'often'}))
    assert manages.get(url('schedule_end', schedule.pk)).status_code == 200 and Schedule.objects.exists()
    manages.post(url('schedule_end', schedule.pk))
    assert not Schedule.objects.exists() and not Job.objects.exists()
    manages.post(url('job_queue'), {'name': 'low', 'do': 'pause'})
    assert PausedQueue.objects.get().name == 'low'
    manages.post(url('job_queue'), {'name': 'low', 'do': 'resume'})
    assert not PausedQueue.objects.exists()
    assert manages.post(url('job_queue'), {'name': 'unheard of', 'do': 'pause'}).status_code == 404


def test_deeds_on_several_jobs_are_asked_about_and_touch_only_what_they_fit(boss):
    jobs = [make('pending'), make('scheduled'), make('running'), make('completed')]
    keys = [job.pk for job in jobs]
    question = body(boss.post(url('job_bulk'), {'action': 'cancel', 'job': keys}))
    assert 'Cancel 2 jobs?' in question and '2 jobs stay as they are' in question
    assert Job.objects.filter(status='canceled').count() == 0
    boss.post(url('job_bulk'), {'action': 'cancel', 'job': keys, 'confirmed': 1})
    assert sorted(Job.objects.values_list('status', flat=True)) == ['canceled', 'canceled', 'completed', 'running']


def test_all_that_match_a_filter_are_chosen_without_their_boxes(boss):
    for number in range(60):
        make('failed', queue_name='low' if number < 55 else 'high')
    data = {'action': 'delete', 'across': 1, 'filters': 'queue=low'}
    assert 'Delete 55 jobs?' in body(boss.post(url('job_bulk'), data))
    boss.post(url('job_bulk'), {**data, 'confirmed': 1})
    assert set(Job.objects.values_list('queue_name', flat=True)) == {'high'}


def test_deleting_a_periodic_job_says_that_its_schedule_ends(boss):
    job = Plain.enqueue_once(interval=5)
    assert 'its schedule ends' in (page := body(boss.get(url('job_delete', job.pk))))
    assert f'Delete job {job.pk} &quot;Plain&quot;?' in page


def test_without_redis_every_page_opens_and_says_so(boss, rows, settings):
    job, schedule, _worker = rows
    pages = [url('job_changelist'), url('job_overview'), url('job_change', job.pk), url('schedule_changelist')]
    answering = settings.RQ_QUEUES
    settings.RQ_QUEUES = {'default': {'URL': 'redis://127.0.0.1:1/0'}}  # where nothing answers
    for address in (*pages, url('schedule_change', schedule.pk), url('worker_changelist')):
        response = boss.get(address)
        assert response.status_code == 200 and 'Redis does not answer' in body(response), address
    settings.RQ_QUEUES = answering
    close_circuits()
    assert 'Redis does not answer' not in body(boss.get(pages[0]))

"""The admin's pages: who may see and do what, what is escaped, and what they ask of the database."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from example_plugin.models import Source
from netbox_jobs.admin import charts, filters, paginator
from netbox_jobs.broker.connection import close_circuits
from netbox_jobs.models import Job, JobAttempt, JobLogEntry, PausedQueue, Progress, Schedule, Worker
from netbox_jobs.monitoring import day, job_filters
from tests.app.jobs import Plain, Talking

pytestmark = pytest.mark.django_db(transaction=True)

NASTY = '<script>alert(1)</script>\x1b[31mred\x1b[0m \u202ertl \x07 &amp;'


def user(*permissions, name='someone', staff=True):
    found, _ = get_user_model().objects.get_or_create(username=name, is_staff=staff)
    found.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return found


def client(*permissions, **kwargs):
    browser = Client(enforce_csrf_checks=kwargs.pop('csrf', False))
    browser.force_login(user(*permissions, **kwargs))
    return browser


@pytest.fixture
def boss():
    browser = Client()
    browser.force_login(get_user_model().objects.create_superuser('boss'))
    return browser


def url(name, *args):
    return reverse(f'admin:netbox_jobs_{name}', args=args)


def make(status='completed', **values):
    now = timezone.now()
    if status in ('completed', 'failed', 'errored', 'canceled'):
        values = {'started': now, 'completed': now, 'execution_time': timedelta(seconds=2), 'attempt': 1, **values}
    values.setdefault('name', 'Job of a test')
    values.setdefault('runner', 'tests.app.jobs.Plain')
    values.setdefault('queue_name', 'default')
    return Job.objects.create(status=status, due=1, **values)


def body(response):
    return (b''.join(response.streaming_content) if response.streaming else response.content).decode()


def test_every_page_asks_the_database_as_often_for_fifty_jobs_as_for_one(boss):
    source = Source.objects.create(name='one', url='x')
    someone = user()

    def fill(number):
        for _ in range(number):
            job = make('running', object=source, user=someone, worker='w', queue_name='default')
            Progress.objects.create(job_id=job.pk, current=1, total=3)
            JobLogEntry.objects.create(job=job, level='info', message='line')
            make('failed', error='no', object=source, runner='tests.app.jobs.Plain')
            schedule = Schedule.objects.create(
                key=uuid.uuid4().hex, runner='x', name='recurs', queue_name='default', interval=5
            )
            make('completed', schedule=schedule)
            make('scheduled', schedule=schedule, slot=schedule.pk, scheduled=timezone.now() + timedelta(days=1))
        return job

    Worker.objects.create(token='w', name='w', host='h', pid=1, queues='default')
    first = fill(1)
    pages = [
        url('job_changelist'),
        url('job_live_list'),
        url('job_changelist') + '?status=running&queue=default',
        url('job_overview'),
        url('job_overview_live'),
        url('job_change', first.pk),
        url('job_live', first.pk),
        url('job_log', first.pk),
        url('schedule_changelist'),
        url('worker_changelist'),
        url('job_of', ContentType.objects.get_for_model(Source).pk, source.pk),
    ]

    def count():
        found = {}
        for page in pages:
            with CaptureQueriesContext(connection) as queries:
                assert boss.get(page).status_code == 200
            found[page] = len(queries)
        return found

    count()  # content types are remembered from here on
    before = count()
    fill(49)
    JobLogEntry.objects.bulk_create([JobLogEntry(job=first, level='info', message='x') for _ in range(49)])
    assert count() == before
    assert max(before.values()) < 30


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


def test_whatever_is_written_is_escaped_and_harmless(boss):
    source = Source.objects.create(name=NASTY[:90], url='x')
    someone = get_user_model().objects.create(username=NASTY[:60])
    job = make(
        'errored', name=NASTY, error=f'{NASTY}\n{NASTY}', arguments_shown=NASTY, data={NASTY: NASTY}, object=source,
        user=someone, runner='x.<b>Runner', queue_name='<i>queue',
    )  # fmt: skip
    JobLogEntry.objects.create(job=job, level='<u>', message=NASTY)
    JobLogEntry.objects.create(job=job, level='error', message=f'Traceback (most recent call last)\n{NASTY}')
    JobAttempt.objects.create(job=job, number=1, error=NASTY)
    Job.objects.filter(pk=job.pk).update(attempt=2)
    Schedule.objects.create(key='k', runner='<b>', name=NASTY, queue_name='<i>queue', suspended=NASTY, cron='<b>')
    Worker.objects.create(token='w', name=NASTY, host='<b>', pid=1, queues='<i>queue')
    about = url('job_of', ContentType.objects.get_for_model(Source).pk, source.pk)
    live = [url('job_live', job.pk), url('job_log', job.pk), url('job_delete', job.pk), about]
    pages = [url('job_changelist'), url('job_overview'), url('job_change', job.pk), url('schedule_changelist')]
    for address in (*pages, *live, url('worker_changelist'), url('schedule_change', Schedule.objects.get().pk)):
        text = body(boss.get(address))
        for bad in ('<script>alert', '<b>', '<i>', '<u>', '\x1b', '\x07'):
            assert bad not in text, (address, bad)
    for name in ('job_error', 'job_arguments', 'job_data', 'job_log_text'):
        response = boss.get(url(name, job.pk))
        assert response['Content-Type'].startswith('text/plain') and response['X-Content-Type-Options'] == 'nosniff'
        assert '\x1b' not in body(response)


def test_a_line_of_a_megabyte_is_cut_and_can_be_seen_in_full(boss):
    job = make()
    line = JobLogEntry.objects.create(job=job, level='info', message='x' * 1_048_576)
    page = body(boss.get(url('job_change', job.pk)))
    assert len(page) < 100_000 and 'All 1,048,576 characters' in page
    assert len(body(boss.get(url('job_log_line', job.pk, line.pk)))) == 1_048_576
    other = make()
    assert boss.get(url('job_log_line', other.pk, line.pk)).status_code == 404


def test_a_large_error_or_result_is_cut_and_can_be_seen_in_full(boss):
    job = make('errored', error='first\n' + 'e' * 1_000_000, data={'much': 'd' * 1_000_000})
    assert len(body(boss.get(url('job_change', job.pk)))) < 120_000
    assert len(body(boss.get(url('job_changelist')))) < 100_000
    assert len(json.loads(body(boss.get(url('job_data', job.pk))))['much']) == 1_000_000


def test_a_log_is_turned_page_by_page_filtered_and_searched(boss):
    job = make()
    JobLogEntry.objects.bulk_create(
        [JobLogEntry(job=job, level='error' if n % 100 == 7 else 'info', message=f'line {n};') for n in range(1200)]
    )
    last = body(boss.get(url('job_log', job.pk)))
    assert 'line 1199;' in last and 'line 700;' in last and 'line 699;' not in last and 'data-earlier' in last
    first = body(boss.get(url('job_log', job.pk), {'begin': ''}))
    assert 'line 0;' in first and 'line 499;' in first and 'line 500;' not in first and 'data-more' in first
    after = JobLogEntry.objects.get(job=job, message='line 1197;').pk
    assert body(boss.get(url('job_log', job.pk), {'after': after})).count('<li') == 2
    assert body(boss.get(url('job_log', job.pk), {'level': 'error'})).count('<li') == 12
    assert body(boss.get(url('job_log', job.pk), {'q': 'line 107;'})).count('<li') == 1
    assert body(boss.get(url('job_log_text', job.pk))).count('\n') == 1200
    assert body(boss.get(url('job_log', job.pk), {'after': 'x' * 50, 'level': 'loud'})).count('<li') == 500


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


@pytest.mark.parametrize(
    ('query', 'expected'),
    [
        ('status=failed', {'late', 'old'}),
        ('queue=low', {'old'}),
        ('runner=tests.app.jobs.Talking', {'talks'}),
        ('when=24h', {'late', 'talks', 'about'}),
        ('when=2020', {'old'}),
        ('when=2020-03', {'old'}),
        ('when=2020-03-04', {'old'}),
        ('when=2020-03-05', set()),
        ('when=nonsense', set()),
        ('when=2020-99', set()),
        ('q=tALk', {'talks'}),
        ('q=old&when=2020', {'old'}),
        ('user=9999', set()),
        ('user=x', set()),
        ('about=x', set()),
        ('status=failed&queue=default', {'late'}),
        ('o=-7', {'late', 'old', 'talks', 'about'}),
        ('o=nonsense', {'late', 'old', 'talks', 'about'}),
    ],
)
def test_the_list_is_filtered_searched_and_sorted(boss, query, expected):
    source = Source.objects.create(name='s', url='x')
    long_ago = datetime(2020, 3, 4, 12, tzinfo=UTC)  # noon, so that it is the same day wherever the project says it is
    make('failed', name='old', queue_name='low', created=long_ago, completed=long_ago)
    make('failed', name='late')
    make(name='talks', runner='tests.app.jobs.Talking')
    make(name='about', object=source)
    response = boss.get(f'{url("job_changelist")}?{query}')
    assert {job.name for job in response.context['cl'].result_list} == expected


def test_a_job_is_found_by_its_number_its_id_and_its_object(boss):
    source = Source.objects.create(name='s', url='x')
    job, kind = make(object=source), ContentType.objects.get_for_model(Source).pk
    make(object=Source.objects.create(name='t', url='x'))
    for query in (f'q={job.pk}', f'q=%23{job.pk}', f'q={job.job_id}', f'about={kind}:{source.pk}'):
        response = boss.get(f'{url("job_changelist")}?{query}')
        assert [found.pk for found in response.context['cl'].result_list] == [job.pk], query


def test_counts_end_at_a_limit_and_say_so(boss, monkeypatch):
    monkeypatch.setattr(paginator, 'LIMIT', 60)
    monkeypatch.setattr(filters, 'LIMIT', 60)
    for _ in range(70):
        make('failed')
    response = boss.get(url('job_changelist'))
    assert response.context['cl'].result_count == 60 and response.context['cl'].capped
    assert '60+' in body(response) and 'there are more' in body(response)


def test_names_are_searched_among_the_newest_only(boss, monkeypatch):
    old = make(name='needle')
    for _ in range(5):
        new = make(name='hay')
    monkeypatch.setattr(job_filters, 'SEARCHED', new.pk - old.pk)
    assert not boss.get(url('job_changelist') + '?q=needle').context['cl'].result_list
    monkeypatch.setattr(job_filters, 'SEARCHED', new.pk - old.pk + 1)
    assert boss.get(url('job_changelist') + '?q=needle').context['cl'].result_list


def test_the_overview_shows_queues_charts_and_how_far_back_it_counts(boss, monkeypatch):
    for number in range(5):
        make('completed', completed=timezone.now() - timedelta(minutes=number))
    page = body(boss.get(url('job_overview')))
    assert 'No worker' in page and '<svg' in page and 'style=' not in page and 'are added up' not in page
    monkeypatch.setattr(day, 'ADDED_UP', 3)
    assert 'Only the newest jobs, since' in body(boss.get(url('job_overview')))


def test_jobs_of_no_known_worker_are_listed_below_the_workers(boss):
    job = make('running', name='all alone', started=timezone.now())
    Worker.objects.create(token='w', name='w', host='h', pid=1_234_567, queues='default')
    for address in (url('job_overview'), url('worker_changelist')):
        page = body(boss.get(address))
        assert 'process 1234567 on h' in page and 'all alone' in page and f'#{job.pk}' in page
    assert 'all alone' not in body(client('view_worker').get(url('worker_changelist')))


def test_a_waiting_job_says_why_it_waits(boss):
    job = Plain.enqueue()
    page = body(boss.get(url('job_change', job.pk)))
    assert page.count('o worker serves the queue default') == 2  # beside the status, and in the timeline


def test_a_jobs_page_tells_its_attempts_and_its_relatives(boss):
    first = make('failed')
    job = make('errored', attempt=2, retries=1, retry_of=first, predecessor=first)
    JobAttempt.objects.create(job=job, number=1, error='the first time', started=timezone.now())
    again = make('pending', retry_of=job)
    following = make('scheduled', predecessor=job, scheduled=timezone.now() + timedelta(days=1))
    page = body(boss.get(url('job_change', job.pk)))
    for text in ('Attempt 1 failed', 'the first time', f'#{first.pk}', f'#{again.pk}', f'#{following.pk}'):
        assert text in page


def test_an_object_shows_its_jobs_on_its_page_to_those_who_may_see_jobs(boss):
    source = Source.objects.create(name='s', url='x')
    make(name='of this one', object=source)
    make(name='of none')
    page = reverse('admin:example_plugin_source_change', args=(source.pk,))
    text = body(boss.get(page))
    assert 'of this one' in text and 'of none' not in text
    kind = ContentType.objects.get_for_model(Source).pk
    assert 'of this one' in body(boss.get(url('job_of', kind, source.pk)))
    assert 'of this one' not in body(client('view_source', 'change_source').get(page))
    assert client('view_job').get(url('job_of', kind, source.pk)).status_code == 404
    assert boss.get(reverse('admin:example_plugin_source_add')).status_code == 200


def test_another_admin_site_has_all_pages_too(boss):
    site = admin.AdminSite(name='other')
    for model in (Job, Schedule, Worker):
        site.register(model, type(admin.site._registry[model]))
    names = {pattern.name for pattern in site._registry[Job].get_urls()}
    assert {'netbox_jobs_job_overview', 'netbox_jobs_job_live', 'netbox_jobs_job_bulk'} <= names
    assert 'netbox_jobs_job_changelist' in names


def test_a_retry_that_is_not_possible_is_said_and_not_an_error(boss):
    job = make('failed', runner='gone.jobs.Gone')
    response = boss.post(url('job_retry', job.pk), follow=True)
    assert response.status_code == 200 and f'#{job.pk}:' in body(response)


def test_an_immediate_job_shows_its_log(boss):
    job = Talking.enqueue(immediate=True)
    assert 'line 4 of 4' in body(boss.get(url('job_change', job.pk)))


def test_bars_are_as_high_as_their_numbers():
    chart = charts.bars('k', 'Title', ['a', 'b'], [charts.Series('one', 'green', [10, 5])], str, 'sum')
    assert chart.bars[0].height == 2 * chart.bars[1].height and chart.rows == [('a', ['10']), ('b', ['5'])]
    assert charts.bars('k', 'Title', ['a'], [charts.Series('one', 'green', [0])], str, '').empty

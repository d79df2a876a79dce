"""The admin's pages: what they show, that everything is escaped, and what they ask of the database."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from example_plugin.models import Source
from netbox_jobs.admin import charts, filters, paginator
from netbox_jobs.models import Job, JobAttempt, JobLogEntry, Progress, Schedule, Worker
from netbox_jobs.monitoring import performance, searched
from tests.admin.helpers import body, client, make, url, user
from tests.app.jobs import Plain, Talking

pytestmark = pytest.mark.django_db(transaction=True)


NASTY = '<script>alert(1)</script>\x1b[31mred\x1b[0m \u202ertl \x07 &amp;'


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
    assert response.context['cl'].result_count == 60 and response.context['cl'].paginator.capped
    assert '60+' in body(response) and 'there are more' in body(response)


def test_a_search_says_how_far_back_it_went_and_goes_on(boss, monkeypatch):
    old = make(name='needle')
    for _ in range(5):
        new = make(name='hay')
    monkeypatch.setattr(searched, 'COMPARED', new.pk - old.pk)
    page = boss.get(url('job_changelist') + '?q=needle')
    assert not page.context['cl'].result_list
    assert f'went back to job #{old.pk + 1}' in body(page)
    page = boss.get(url('job_changelist') + page.context['cl'].earlier_url)
    assert [job.pk for job in page.context['cl'].result_list] == [old.pk]
    assert 'Search earlier jobs' not in body(page)


def test_the_overview_shows_queues_charts_and_how_far_back_it_counts(boss, monkeypatch):
    for number in range(5):
        make('completed', completed=timezone.now() - timedelta(minutes=number))
    page = body(boss.get(url('job_overview')))
    assert 'No worker' in page and '<svg' in page and 'style=' not in page and 'are added up' not in page
    monkeypatch.setattr(performance, 'ADDED_UP', 3)
    assert 'More jobs ended than are added up' in body(boss.get(url('job_overview')))


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
    source = Source.objects.create(name='Warehouse <b>', url='x')
    make(name='of this one', object=source)
    make(name='of none')
    page = reverse('admin:example_plugin_source_change', args=(source.pk,))
    text = body(boss.get(page))
    assert 'of this one' in text and 'of none' not in text
    kind = ContentType.objects.get_for_model(Source).pk
    assert 'of this one' in body(boss.get(url('job_of', kind, source.pk)))
    listed = url('job_changelist') + '?about='
    assert 'source Warehouse &lt;b&gt;' in body(boss.get(f'{listed}{kind}:{source.pk}'))
    for value in (f'{kind}:none', '999999:1', f'{"9" * 30}:1', 'x:1'):
        assert boss.get(listed + value).status_code == 200
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
    for most, axis in ((1, [0, 1, 2]), (3, [0, 2, 4]), (5, [0, 3, 6]), (11, [0, 10, 20])):
        chart = charts.bars('k', 'Title', ['a'], [charts.Series('n', 'green', [most])], str, '', steps=charts.COUNTS)
        assert [float(line.text) for line in chart.lines] == axis


def test_the_page_of_a_job_names_its_tenant_if_it_has_one(boss):
    assert '>Tenant<' not in body(boss.get(url('job_change', make().pk)))
    assert '<dt>Tenant</dt><dd><bdi>acme &amp; co</bdi></dd>' in body(
        boss.get(url('job_change', make(tenant='acme & co').pk))
    )


def test_the_page_of_a_waiting_job_links_to_the_jobs_that_it_waits_for(boss):
    first = Plain.enqueue()
    page = body(boss.get(url('job_change', Plain.enqueue(depends_on=[first]).pk)))
    assert f'<dt>Waits for</dt><dd><a class="nj-link" href="{url("job_change", first.pk)}">#{first.pk}</a>' in page

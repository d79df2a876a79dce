"""The admin's pages in a real browser: they update themselves, and keep out users without permission."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from example_plugin.models import Source
from netbox_jobs.models import Job, JobLogEntry, PausedQueue, Progress, QueueLimit, Schedule, Worker, Workflow
from tests.app.jobs import Plain, Sleeping
from tests.processes import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def url(name, *args):
    return reverse(f'admin:netbox_jobs_{name}', args=args)


def make(status, **values):
    now = timezone.now()
    if status not in ('pending', 'scheduled'):
        values = {'started': now, 'attempt': 1, **values}
    if status in ('completed', 'failed'):
        values = {'completed': now, 'execution_time': timedelta(seconds=1), **values}
    return Job.objects.create(
        **{
            'status': status,
            'name': 'Job of a test',
            'runner': 'tests.app.jobs.Plain',
            'queue_name': 'default',
            **values,
        }
    )


@pytest.mark.parametrize(('width', 'scheme'), [(1300, 'light'), (1300, 'dark'), (380, 'light')])
def test_every_page_passes_axe_and_fits_its_window(visit, violations, width, scheme):
    source = Source.objects.create(name='Warehouse <b>', url='x')
    job = make('running', object=source, worker='w')
    Progress.objects.create(job_id=job.pk, current=1, total=3, message='at it')
    JobLogEntry.objects.create(job=job, level='warning', message='careful\x1b[0m <script>alert(1)</script>')
    failed = make('failed', error='no\nTraceback', data={'a': 1}, arguments_shown='x=1')
    make('completed')
    Plain.enqueue_once(interval=60)
    schedule = Schedule.objects.get()
    Worker.objects.create(token='w', name='w', host='h', pid=1, queues='default')
    with Workflow.begin('Import <b>') as flow:
        flow.add('fetch', Plain)
        flow.add('count', Plain, after='fetch')
    QueueLimit.set('low', 3)
    PausedQueue.pause('high')
    page = visit(url('job_changelist'), width=width, scheme=scheme)
    home = page.url.removesuffix(url('job_changelist'))
    for path in (
        url('job_changelist'),
        url('job_changelist') + '?status=canceled',
        url('job_overview'),
        url('job_errors'),
        url('job_performance'),
        url('job_change', job.pk),
        url('job_change', failed.pk),
        url('job_delete', job.pk),
        url('schedule_changelist'),
        url('schedule_change', schedule.pk),
        url('schedule_end', schedule.pk),
        url('worker_changelist'),
        url('schedule_calendar'),
        url('workflow_changelist'),
        url('workflow_change', flow.pk),
        url('auditentry_changelist'),
        url('queuelimit_changelist'),
        reverse('admin:example_plugin_source_change', args=(source.pk,)),
    ):
        page.goto(home + path)
        assert violations(page) == [], path
        assert page.evaluate('document.documentElement.scrollWidth <= innerWidth'), path


@pytest.mark.parametrize(('width', 'scheme'), [(1300, 'light'), (380, 'dark')])
def test_every_question_passes_axe_and_fits_its_window(visit, violations, width, scheme):
    for number in range(3):
        make('failed', error=f'no answer from 10.0.0.{number}', fingerprint='f' * 16)
    page = visit(url('job_changelist'), width=width, scheme=scheme)
    home = page.url.removesuffix(url('job_changelist'))

    def ask(path, select, button):
        page.goto(home + path)
        for name in select:
            page.get_by_label(name).check()
        page.get_by_role('main').get_by_role('button', name=button).first.click()
        page.get_by_role('link', name='No, take me back').wait_for()
        assert violations(page) == [], (path, button)
        assert page.evaluate('document.documentElement.scrollWidth <= innerWidth'), (path, button)

    for button in ('Retry…', 'Delete…', 'Cancel…'):  # the last one fits none of them
        ask(url('job_changelist'), [f'Select job {job.pk}' for job in Job.objects.all()], button)
    for button in ('Retry…', 'Delete…'):
        ask(url('job_errors') + '?period=7d', [], button)
    page.get_by_role('link', name='No, take me back').click()
    expect(page).to_have_url(re.compile('period=7d$'))  # back to the same list
    page.get_by_role('button', name='Mute', exact=True).click()
    expect(page.get_by_role('button', name='Unmute')).to_be_visible()
    expect(page).to_have_url(re.compile('period=7d$'))
    assert violations(page) == []


def test_pages_lead_back_in_one_line_of_links_on_every_django(visit):
    page = visit(url('worker_changelist'))
    page.get_by_role('main').get_by_role('link', name='Overview').click()
    bar = page.get_by_role('navigation', name='Breadcrumbs')
    expect(bar.locator('li')).to_have_count(4)
    tops = [item.bounding_box()['y'] for item in bar.locator('li').all()]
    assert len(set(tops)) == 1
    shade = 'item => getComputedStyle(item).backgroundColor'
    assert bar.locator('ol').evaluate(shade) not in ('rgba(0, 0, 0, 0)', 'rgb(255, 255, 255)')
    page.get_by_role('main').get_by_role('link', name='All jobs').click()
    expect(page).to_have_url(re.compile(url('job_changelist')))


def test_a_job_is_watched_stopped_and_retried(visit, start_worker):
    job = Sleeping.enqueue(seconds=120)
    page = visit(url('job_change', job.pk))
    expect(page.locator('.nj-now')).to_have_text(re.compile('Pending'))
    start_worker('default')
    expect(page.locator('.nj-now')).to_have_text(re.compile('Running'), timeout=60_000)
    page.get_by_role('link', name='Stop…').click()
    page.get_by_role('button', name=f'Stop job {job.pk}').click()
    expect(page.locator('.nj-now')).to_have_text(re.compile('Canceled'), timeout=60_000)
    page.get_by_role('button', name='Retry').click()
    expect(page.get_by_text('1 job was enqueued again.')).to_be_visible()
    again = Job.objects.get(retry_of=job)
    assert page.url.endswith(url('job_change', again.pk))
    expect(page.locator('.nj-now')).to_have_text(re.compile('Running'), timeout=60_000)
    again.stop()
    wait_for(lambda: Job.objects.get(pk=again.pk).ended)


def test_a_log_of_ten_thousand_lines_is_followed(visit):
    job = make('running')
    page = visit(url('job_change', job.pk))
    JobLogEntry.objects.bulk_create([JobLogEntry(job=job, level='info', message=f'early {n}') for n in range(10)])
    expect(page.get_by_text('early 9')).to_be_visible()
    expect(page.get_by_role('link', name='Earlier lines')).to_be_hidden()
    JobLogEntry.objects.bulk_create(
        [JobLogEntry(job=job, level='info', message=f'line {n} of many') for n in range(10_000)], batch_size=2000
    )
    expect(page.get_by_text('line 9999 of many')).to_be_attached(timeout=60_000)
    box = page.locator('[data-nj-box]')
    wait_for(lambda: box.evaluate('box => box.scrollHeight - box.scrollTop - box.clientHeight < 8'), what='the end')
    assert page.locator('.nj-line').count() <= 3000
    page.get_by_role('link', name='From the beginning').click()
    expect(page.get_by_text('early 0')).to_be_visible()
    page.get_by_role('link', name='Later lines').click()
    expect(page.get_by_text('line 490 of many')).to_be_attached()


def test_a_log_is_filtered_by_level_and_words(visit):
    job = make('failed')
    for level, message in (('info', 'fine'), ('error', 'broken pipe'), ('error', 'broken glass')):
        JobLogEntry.objects.create(job=job, level=level, message=message)
    page = visit(url('job_change', job.pk))
    page.get_by_label('Level').select_option('error')
    expect(page.locator('.nj-line')).to_have_count(2)
    page.get_by_label('Words').fill('glass')
    page.get_by_label('Words').press('Enter')
    expect(page.locator('.nj-line')).to_have_text([re.compile('broken glass')])


def test_the_list_moves_by_itself_and_keeps_what_is_chosen(visit):
    chosen = make('pending', name='First')
    page = visit(url('job_changelist'))
    page.get_by_label(f'Select job {chosen.pk}').check()
    Job.objects.filter(pk=chosen.pk).update(status='running', started=timezone.now())
    later = make('pending', name='Second')
    expect(page.get_by_role('link', name='Second')).to_be_visible()
    expect(page.locator('#result_list .nj-is-running')).to_be_visible()
    expect(page.get_by_label(f'Select job {chosen.pk}')).to_be_checked()
    expect(page.get_by_label(f'Select job {later.pk}')).not_to_be_checked()


def test_several_jobs_are_canceled_by_keyboard(visit):
    jobs = [make('pending') for _ in range(3)]
    make('completed')
    page = visit(url('job_changelist'))
    page.locator('#action-toggle').focus()
    page.keyboard.press('Space')
    expect(page.locator('[data-nj-count]')).to_have_text('4 selected')
    page.get_by_role('button', name='Cancel…').focus()
    page.keyboard.press('Enter')
    expect(page.get_by_role('heading', name='Cancel 3 jobs?')).to_be_visible()
    expect(page.get_by_text('1 job stays as it is')).to_be_visible()
    page.get_by_role('button', name='Cancel 3 jobs').focus()
    page.keyboard.press('Enter')
    expect(page.get_by_text('3 jobs were canceled.')).to_be_visible()
    assert Job.objects.filter(pk__in=[job.pk for job in jobs], status='canceled').count() == 3


def test_the_list_is_filtered_and_turned(visit):
    for number in range(60):
        make('completed', name=f'Number {number}', queue_name='low' if number < 55 else 'high')
    page = visit(url('job_changelist'))
    page.locator('#nj-filter-queue summary').click()
    page.locator('#nj-filter-queue').get_by_role('link', name='low').click()
    expect(page.locator('#result_list tbody tr')).to_have_count(50)
    page.locator('.paginator a[href*="p=2"]').click()
    expect(page.locator('#result_list tbody tr')).to_have_count(5)
    expect(page.get_by_role('link', name='Number 0', exact=True)).to_be_visible()


def test_the_filters_of_schedules_stand_above_a_list_as_wide_as_the_page(visit):
    Plain.enqueue_once(interval=60)
    page = visit(url('schedule_changelist'))
    filters, table, whole = (page.locator(found).bounding_box() for found in ('.nj-bar', '#result_list', '#changelist'))
    assert filters['y'] + filters['height'] <= table['y']
    assert table['width'] == whole['width']
    page.locator('#nj-filter-paused summary').click()
    page.get_by_role('link', name='Yes').click()
    expect(page.locator('#result_list')).to_have_count(0)


def test_a_workflow_is_watched_canceled_and_retried_on_its_page(visit, work):
    with Workflow.begin('Import') as flow:
        flow.add('fetch', Plain)
        flow.add('count', Plain, after='fetch')
    page = visit(url('workflow_changelist'))
    expect(page.get_by_role('row', name='Import')).to_contain_text('0 of 2')
    page.get_by_role('link', name='Import').click()
    graph = page.get_by_role('region', name='Graph')
    expect(graph.get_by_role('link')).to_have_count(2)
    page.get_by_role('button', name='Cancel the workflow').click()
    expect(page.locator('.nj-now')).to_contain_text('Canceled')
    page.get_by_role('button', name='Retry from the failed jobs').click()
    expect(page.locator('.nj-now')).to_contain_text('0 of 2 jobs have ended')
    work()
    expect(page.locator('.nj-now')).to_contain_text('Completed')  # without a click: the page updates itself
    expect(graph).to_contain_text('Completed')
    graph.get_by_role('link', name='count').click()
    expect(page.get_by_role('main').get_by_role('link', name='Import')).to_be_visible()


def test_the_list_of_workflows_updates_itself_and_is_filtered(visit, work):
    for name in ('First', 'Second'):
        with Workflow.begin(name) as flow:
            flow.add('fetch', Plain)
    flow.cancel()
    page = visit(url('workflow_changelist'))
    work()
    expect(page.get_by_role('row', name='First')).to_contain_text('Completed')
    page.locator('#nj-filter-status summary').click()
    page.get_by_role('link', name='Canceled').click()
    expect(page.locator('#result_list tbody tr')).to_have_count(1)
    expect(page.get_by_role('row', name='Second')).to_be_visible()


def test_a_queue_is_paused_and_a_schedule_ended_from_the_overview(visit):
    Plain.enqueue_once(interval=60)
    page = visit(url('job_overview'))
    page.get_by_role('button', name='Pause default').click()
    expect(page.get_by_role('button', name='Resume default')).to_be_visible()
    page.get_by_role('main').get_by_role('link', name='Plain').first.click()
    page.get_by_role('link', name='End… Plain').click()
    page.get_by_role('button', name='End the schedule').click()
    expect(page.get_by_text('The schedule "Plain" has ended.')).to_be_visible()
    assert not Schedule.objects.exists() and not Job.objects.exists()


def test_without_permission_nothing_opens(visit):
    job = make('failed', name='hush')
    for path in (url('job_changelist'), url('job_overview'), url('job_change', job.pk), url('job_live', job.pk)):
        page = visit(path, (), errs=True)
        assert '403' in page.content() and 'hush' not in page.content()
    page = visit(url('job_change', job.pk), ('view_job',))
    expect(page.get_by_role('heading', name='hush')).to_be_visible()
    assert page.locator('.nj-actions').inner_text().strip() == ''

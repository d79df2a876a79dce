"""A plugin's own pages in a real browser: the example plugin's, with a worker of its own at work."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.utils import timezone
from playwright.sync_api import expect

from example_plugin.jobs import SyncSourceJob
from example_plugin.models import Source
from example_plugin.tests.source_server import LARGE, SourceServer
from netbox_jobs.models import Job, JobLogEntry
from tests.web.running import log, running_job, tell

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


EVIL = '<script>alert("x")</script>\u202egnp.exe'


# With a worker


def test_a_job_is_started_watched_stopped_and_retried_on_the_page(visit, operator, start_worker):
    with SourceServer() as remote:
        source = Source.objects.create(name='Large', url=f'{remote}/large')
        start_worker('example_plugin.sync')
        page = visit(operator)
        page.get_by_role('link', name='Large').click()
        expect(page.get_by_text('There are no jobs yet.')).to_be_visible()
        page.get_by_role('button', name='Sync now').click()

        progress, lines = page.locator('.nbj-progress'), page.locator('.nbj-line')
        expect(progress).to_contain_text('Running')
        page.evaluate('window.sameDocument = true')
        expect(progress.locator('.nbj-percent')).to_have_text(re.compile(r'^\d+%$'))
        value, count = int(progress.locator('progress').get_attribute('value')), lines.count()
        page.wait_for_function(
            '([value, count]) => document.querySelector(".nbj-progress progress").value > value'
            ' && document.querySelectorAll(".nbj-line").length > count',
            arg=[value, count],
        )
        expect(progress).to_contain_text('left')
        expect(page.locator('.count')).not_to_have_text('0')
        assert page.evaluate('window.sameDocument')

        progress.get_by_role('button', name='Stop').click()
        expect(page.get_by_text('is being stopped')).to_be_visible()
        page.evaluate('window.sameDocument = true')
        expect(progress).to_contain_text('Canceled')
        expect(page.locator('.nbj-jobs')).to_contain_text('Canceled')
        assert page.evaluate('window.sameDocument')
        stopped = SyncSourceJob.get_jobs(source).get()
        assert (stopped.status, stopped.user.username) == ('canceled', operator)

        progress.get_by_role('button', name='Retry').click()
        expect(progress).to_contain_text('Completed')
        expect(progress.locator('.nbj-percent')).to_have_text('100%')
        expect(page.locator('.count')).to_have_text(str(LARGE))
        assert SyncSourceJob.get_jobs(source).get(retry_of=stopped).status == 'completed'
        expect(page.locator('.nbj-job')).to_have_count(2)
        expect(page.locator('[data-live-url]')).to_have_count(0)


def test_without_javascript_the_page_shows_what_is_and_its_buttons_work(visit, operator, source):
    job = running_job(source, operator)
    page = visit(operator, source.get_absolute_url(), java_script_enabled=False)
    page.locator('.nbj-progress').get_by_role('button', name='Stop').click()
    expect(page.get_by_text('is being stopped')).to_be_visible()
    job.refresh_from_db()
    assert job.stopping is not None


# Who sees what


def test_who_has_no_permission_sees_nothing_of_others_jobs(visit, operator, visitor, source):
    job = running_job(source, operator)
    log(job, 'a secret')
    page = visit(visitor, source.get_absolute_url())
    expect(page.get_by_text('There are no jobs yet.')).to_be_visible()
    assert 'secret' not in page.content()
    for path in 'status', 'progress', 'log':
        assert page.request.get(f'/jobs/{job.pk}/{path}/').status == 404
    token = page.locator('[name=csrfmiddlewaretoken]').first.get_attribute('value')
    for path in 'stop', 'retry':
        answer = page.request.post(f'/jobs/{job.pk}/{path}/', headers={'X-CSRFToken': token, 'Referer': page.url})
        assert answer.status == 404
    job.refresh_from_db()
    assert job.stopping is None


def test_who_has_no_permission_stops_their_own_job(visit, visitor, source):
    job = running_job(source, visitor)
    page = visit(visitor, source.get_absolute_url())
    page.locator('.nbj-jobs').get_by_role('button', name='Stop').press('Enter')
    expect(page.locator('.nbj-progress')).to_contain_text('Stopping')
    Job.objects.get(pk=job.pk).terminate('canceled')
    expect(page.locator('.nbj-progress')).to_contain_text('Canceled')
    expect(page.get_by_role('button', name='Retry')).to_have_count(0)


def test_a_permission_that_is_taken_away_ends_the_updates(visit, visitor, operator, source):
    job = running_job(source, operator)
    person = get_user_model().objects.get(username=visitor)
    person.user_permissions.add(Permission.objects.get(codename='view_job'))
    page = visit(visitor, source.get_absolute_url())
    expect(page.locator('.nbj-progress')).to_contain_text('Running')
    person.user_permissions.clear()
    log(job, 'too late')
    expect(page.locator('.nbj-progress')).to_have_attribute('data-live-state', 'ended')
    expect(page.locator('.nbj-log')).to_have_attribute('data-live-state', 'ended')
    expect(page.locator('.nbj-jobs')).to_contain_text('There are no jobs yet.')
    expect(page.locator('.nbj-log')).not_to_contain_text('too late')
    assert all('404' in line for line in visit.said)
    visit.said.clear()  # Chromium tells of every 404


# How it looks, and reads


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('width', [1200, 380])
def test_axe_finds_nothing_and_nothing_is_cut_off(visit, operator, source, width, scheme):
    Source.objects.create(name='Nothing yet', url='http://127.0.0.1:9/', sync_interval=60)
    SyncSourceJob.enqueue(instance=source, immediate=True)
    stopping = running_job(source, operator)
    Job.objects.filter(pk=stopping.pk).update(stopping=timezone.now())
    SyncSourceJob.enqueue(instance=source, name=f'{EVIL} {"long" * 40}')
    job = running_job(source, operator, lines=40)
    JobLogEntry.objects.create(job=job, level='error', message=f'{EVIL} {"long" * 100}\n{EVIL}')
    tell(job, 42, message=EVIL)
    page = visit(operator, width=width, color_scheme=scheme)
    addresses = ['/sources/', '/sources/add/', *(found.get_absolute_url() for found in Source.objects.all())]
    for address in (*addresses, f'{source.get_absolute_url()}edit/'):
        page.goto(address)
        found = Axe().run(page)
        assert found.violations_count == 0, f'{address}: {found.generate_report()}'
        assert page.evaluate('document.documentElement.scrollWidth') <= width, address

"""A plugin's own pages in a real browser: the example plugin's, with a worker of its own at work."""

import re
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.test import Client, override_settings
from django.test.testcases import LiveServerThread
from django.utils import timezone
from playwright.sync_api import expect

from example_plugin.jobs import SyncSourceJob
from example_plugin.models import Record, Source
from example_plugin.tests.source_server import LARGE, SourceServer
from netbox_jobs.models import Job, JobLogEntry, Progress

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

WAIT = 20_000  # milliseconds
EVIL = '<script>alert("x")</script>\u202egnp.exe'


def strict_policy(get_response):
    """Middleware: what neither our style sheets nor our scripts are, the browser refuses, and says so."""

    def answer(request):
        response = get_response(request)
        response['Content-Security-Policy'] = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            "form-action 'self'; base-uri 'none'"
        )
        return response

    return answer


@pytest.fixture(scope='module')
def site(chromium, django_db_setup):
    """The address of a web server that asks for CSRF tokens, serves static files, and sends a strict policy."""
    more = ('django.middleware.csrf.CsrfViewMiddleware', f'{__name__}.strict_policy')
    with override_settings(MIDDLEWARE=[*settings.MIDDLEWARE, *more], ALLOWED_HOSTS=['127.0.0.1', 'testserver']):
        server = LiveServerThread('127.0.0.1', StaticFilesHandler)
        server.daemon = True
        server.start()
        server.is_ready.wait(20)
        assert not server.error, server.error
        yield f'http://127.0.0.1:{server.port}'
        server.terminate()


@pytest.fixture
def visit(chromium, site):
    """Open a page as somebody; at the end, no console may have said anything, and no script may have failed."""
    contexts, said = [], []

    def _visit(user, path='/sources/', *, width=1200, **options):
        context = chromium.new_context(base_url=site, viewport={'width': width, 'height': 900}, **options)
        context.set_default_timeout(WAIT)
        logged_in = Client()
        logged_in.force_login(get_user_model().objects.get(username=user))
        context.add_cookies([{'name': 'sessionid', 'value': logged_in.cookies['sessionid'].value, 'url': site}])
        contexts.append(context)
        page = context.new_page()
        page.on('console', lambda message: said.append(f'{message.type}: {message.text}'))
        page.on('pageerror', lambda error: said.append(f'error: {error}'))
        page.goto(path)
        return page

    _visit.said = said
    expect.set_options(timeout=WAIT)
    yield _visit
    for context in contexts:
        context.close()
    assert said == []


@pytest.fixture
def operator():
    return get_user_model().objects.create_superuser('operator').username


@pytest.fixture
def visitor():
    return get_user_model().objects.create_user('visitor').username


@pytest.fixture
def source():
    return Source.objects.create(name='Shop', url='http://127.0.0.1:9/')


def running_job(source, user, lines=0):
    """A job that runs as far as its row says; what it does is up to the test."""
    job = SyncSourceJob.enqueue(instance=source, user=get_user_model().objects.get(username=user))
    Job.objects.filter(pk=job.pk).update(status='running', worker='w', attempt=1, started=timezone.now())
    JobLogEntry.objects.bulk_create([JobLogEntry(job=job, level='info', message=f'line {n}') for n in range(lines)])
    job.refresh_from_db()
    return job


def tell(job, current, message='Storing records'):
    began = timezone.now() - timedelta(seconds=10)
    values = {'current': current, 'total': 100, 'message': message, 'began': began, 'updated': timezone.now()}
    Progress.objects.update_or_create(job=job, defaults=values)


def log(job, message):
    JobLogEntry.objects.create(job=job, level='info', message=message)


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


# Being kept up to date


def test_what_the_reader_does_outlives_an_update(visit, operator, source):
    job = running_job(source, operator, lines=60)
    JobLogEntry.objects.create(job=job, level='warning', message='trouble\nin detail')
    page = visit(operator, source.get_absolute_url())
    box = page.locator('.nbj-lines')
    page.locator('.nbj-folded summary').click()
    box.evaluate('box => { box.scrollTop = 100 }')
    page.evaluate("""() => {
        const range = document.createRange();
        range.selectNodeContents(document.querySelectorAll('.nbj-text')[3]);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        document.querySelector('.nbj-progress button').focus();
        window.spoken = document.querySelector('.nbj-progress [role=status]');
    }""")
    tell(job, 42)
    log(job, 'news')
    expect(page.locator('.nbj-progress .nbj-percent')).to_have_text('42%')
    expect(box).to_contain_text('news')
    assert page.evaluate('document.activeElement.matches(".nbj-progress button")')
    assert page.evaluate('getSelection().toString()') == 'line 3'
    assert page.evaluate('document.querySelector(".nbj-folded").open')
    assert box.evaluate('box => box.scrollTop') == 100
    # What is announced is the same element, with another text; and whoever had the button keeps their place.
    Job.objects.get(pk=job.pk).terminate('completed')
    expect(page.locator('.nbj-progress')).to_contain_text('Completed')
    assert page.evaluate('window.spoken.isConnected && window.spoken.textContent.trim()') == 'Completed'
    assert page.evaluate('document.activeElement.matches(".nbj-progress")')


def test_a_log_that_is_read_at_its_end_follows_and_lines_slide_out(visit, operator, source):
    job = running_job(source, operator, lines=100)
    page = visit(operator, source.get_absolute_url())
    lines, box = page.locator('.nbj-line'), page.locator('.nbj-lines')
    expect(lines).to_have_count(100)
    page.evaluate('window.kept = document.querySelectorAll(".nbj-line")[50]')
    for number in range(10):
        log(job, f'news {number}')
    expect(box).to_contain_text('news 9')
    expect(lines).to_have_count(100)
    expect(lines.first).to_contain_text('line 10')
    assert page.evaluate('window.kept === document.querySelectorAll(".nbj-line")[40]')
    assert box.evaluate('box => box.scrollHeight - box.scrollTop - box.clientHeight') < 4


def test_a_new_job_comes_into_the_list_and_rows_stay_themselves(visit, operator, source):
    first = running_job(source, operator)
    page = visit(operator, source.get_absolute_url())
    page.evaluate('window.row = document.querySelector(".nbj-job")')
    running_job(source, operator)
    expect(page.locator('.nbj-job')).to_have_count(2)
    assert page.evaluate('window.row.isConnected && window.row.dataset.liveKey') == str(first.pk)


def test_without_a_connection_what_is_shown_stays_and_comes_back(visit, operator, source):
    job = running_job(source, operator)
    page = visit(operator, source.get_absolute_url())
    progress = page.locator('.nbj-progress')
    page.route('**/jobs/**', lambda route: route.fulfill(status=502, body='bad gateway'))
    expect(progress).to_have_attribute('data-live-state', 'lost')
    expect(progress).to_contain_text('Running')
    expect(progress.get_by_text('The server does not answer')).to_be_visible()
    page.unroute('**/jobs/**')
    tell(job, 10)
    expect(progress.locator('.nbj-percent')).to_have_text('10%')
    assert progress.get_attribute('data-live-state') is None
    expect(progress.get_by_text('The server does not answer')).to_be_hidden()
    assert all('502' in line for line in visit.said)
    visit.said.clear()  # Chromium tells of every 502


def test_an_answer_that_is_no_fragment_replaces_nothing(visit, operator, source):
    running_job(source, operator)
    page = visit(operator, source.get_absolute_url())
    page.route('**/progress/**', lambda route: route.fulfill(status=302, headers={'Location': '/admin/login/'}))
    page.route('**/log/**', lambda route: route.fulfill(body='<title>Log in</title><main>Log in</main>'))
    expect(page.locator('.nbj-progress')).to_have_attribute('data-live-state', 'ended')
    expect(page.locator('.nbj-log')).to_have_attribute('data-live-state', 'lost')
    expect(page.locator('.nbj-progress')).to_contain_text('Running')
    expect(page.locator('main')).not_to_contain_text('Log in')


def test_a_page_that_is_not_seen_asks_for_nothing(visit, operator, source):
    job = running_job(source, operator)
    page = visit(operator, source.get_absolute_url())
    page.clock.install()
    page.reload()
    asked = []
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => window.away })")
    page.evaluate('window.away = true')
    page.on('request', lambda request: asked.append(request.url))
    page.clock.run_for(60_000)
    assert asked == []
    tell(job, 10)
    page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator('.nbj-progress .nbj-percent')).to_have_text('10%')


def test_a_button_that_is_pressed_twice_is_sent_once_and_the_page_stays_where_it_was(visit, operator, source):
    failed = SyncSourceJob.enqueue(instance=source, immediate=True)
    Record.objects.bulk_create([Record(source=source, key=f'record {number}') for number in range(200)])
    page = visit(operator, source.get_absolute_url(), width=380)
    page.evaluate("""() => {
        scrollTo(0, 300);
        const button = document.querySelector('.nbj-jobs button');
        button.click();
        button.click();
    }""")
    expect(page.get_by_text('is enqueued again')).to_be_attached()
    page.wait_for_function('scrollY === 300')
    assert Job.objects.filter(retry_of=failed).count() == 1


# How it looks to everybody


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

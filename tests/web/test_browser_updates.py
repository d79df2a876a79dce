"""A plugin's own pages in a real browser: they are kept up to date."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from example_plugin.jobs import SyncSourceJob
from example_plugin.models import Record
from netbox_jobs.models import Job, JobLogEntry
from tests.web.running import log, running_job, tell

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


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
    # What is announced is the same element, with another text; and a reader who had the button keeps their place.
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


def test_what_another_script_swaps_in_becomes_live_as_with_htmx(visit, operator, source):
    page = visit(operator, '/sources/')
    for number in (1, 2):  # the second one comes when the script has looked for elements already
        job = running_job(source, operator)
        page.evaluate(
            """async (address) => {
                const place = document.createElement('div');
                document.body.append(place);
                place.outerHTML = await (await fetch(address, { headers: { 'HX-Request': 'true' } })).text();
            }""",
            reverse('netbox_jobs:progress', args=[job.pk]),
        )
        expect(page.locator('.nbj-progress')).to_have_count(number)
        tell(job, 42)
        expect(page.locator('.nbj-progress').last.locator('.nbj-percent')).to_have_text('42%')

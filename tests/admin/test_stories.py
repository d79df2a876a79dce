"""Five questions of operators, from the first page to the answer, in a browser: each within five clicks."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from netbox_jobs.core.clock import to_ms
from netbox_jobs.jobs import JobRunner
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, PausedQueue, Schedule, Worker
from tests.app.jobs import Plain

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

MOST = 5


class Fragile(JobRunner):
    """Fails in one way until the service is back."""

    back = False

    def run(self, host):
        if not self.back:
            raise ConnectionError(f'no answer from {host}')


def url(name, *args):
    return reverse(f'admin:netbox_jobs_{name}', args=args)


class Visitor:
    """A user at a page, whose clicks are counted."""

    def __init__(self, page: Page) -> None:
        self.page, self.clicks = page, 0

    def click(self, locator: Locator) -> None:
        locator.click()
        self.clicks += 1

    def link(self, name: str) -> Locator:
        return self.page.get_by_role('main').get_by_role('link', name=name).first

    def button(self, name: str) -> Locator:
        return self.page.get_by_role('main').get_by_role('button', name=name).first

    def sees(self, text: str) -> None:
        expect(self.page.get_by_role('main')).to_contain_text(text)


@contextmanager
def story(visit, path) -> Iterator[Visitor]:
    visitor = Visitor(visit(path))
    yield visitor
    assert 0 < visitor.clicks <= MOST


def test_1_something_failed_last_night_what_why_and_fixed(visit, work, monkeypatch):
    for number in range(24):
        Fragile.enqueue(host=f'10.0.0.{number}', immediate=True)
    with story(visit, url('job_overview')) as operator:
        operator.click(operator.page.get_by_role('main').get_by_role('link', name='Errors', exact=True))
        expect(operator.page.locator('.nj-errors tbody tr')).to_have_count(1)  # one cause, not 24
        operator.sees('ConnectionError: no answer from 10.0.0.23')
        monkeypatch.setattr(Fragile, 'back', True)  # the service is repaired
        operator.click(operator.button('Retry…'))
        operator.sees('Retry 24 jobs?')
        operator.click(operator.button('Retry 24 jobs'))
        work()
        work()
        expect(operator.page.get_by_role('main')).to_contain_text('Completed')
    assert Job.objects.filter(runner__endswith='Fragile', status='completed').count() == 24


def test_2_the_queue_is_slow_which_runner_and_why_does_this_job_wait(visit):
    Plain.enqueue(immediate=True)
    job = Plain.enqueue(queue_name='low')
    with story(visit, url('job_overview')) as operator:
        operator.click(operator.link('Performance'))
        operator.sees('Wait p95')
        operator.click(operator.link('low'))
        operator.click(operator.link(job.name))
        operator.sees('no worker serves the queue low')


@pytest.fixture
def runaway():
    job = Plain.enqueue(name='Runaway')
    Job.objects.filter(pk=job.pk).update(status='running', started=job.created, attempt=1)
    return job


def test_3_stop_this_runaway(visit, runaway):
    with story(visit, url('job_changelist')) as operator:
        operator.click(operator.link('Runaway'))
        operator.click(operator.button('Look into the process'))  # what it does now
        operator.sees('The process is asked')
        operator.click(operator.link('Stop…'))
        operator.click(operator.button(f'Stop job {runaway.pk}'))
        operator.sees('Stopping')
    assert Job.objects.get(pk=runaway.pk).stopping is not None


def test_3_stop_this_runaway_from_the_list(visit, runaway):
    with story(visit, url('job_changelist')) as operator:
        operator.click(operator.page.get_by_label(f'Select job {runaway.pk}'))
        operator.click(operator.button('Stop…'))
        operator.sees(f'Stop job {runaway.pk} "Runaway"?')
        operator.click(operator.button(f'Stop job {runaway.pk}'))
        operator.sees('Stopping')
    assert Job.objects.get(pk=runaway.pk).stopping is not None


def test_3_stop_this_runaway_from_the_terminal(runaway):
    call_command('jobs', 'stop', str(runaway.pk), '--yes', stdout=StringIO())
    assert Job.objects.get(pk=runaway.pk).stopping is not None


def test_4_maintenance_nothing_runs_the_worker_leaves_and_all_goes_on(visit):
    worker = Worker.objects.create(token='w', name='worker-1', host='h', pid=1, queues=json.dumps(['default']))
    with story(visit, url('job_overview')) as operator:
        operator.click(operator.button('Pause all queues'))
        expect(operator.page.locator('.nj-paused')).to_contain_text('All queues are paused. No job runs there')
        operator.click(operator.button('Finish and leave'))
        operator.sees('Leaving')
        operator.click(operator.link('Overview'))
        operator.click(operator.button('Resume all queues'))
        expect(operator.page.locator('.nj-paused')).to_have_count(0)
    worker.refresh_from_db()
    assert worker.leaving is not None
    assert not PausedQueue.objects.exists()


def test_5_what_will_run_and_what_if_it_ran_at_four(visit):
    Plain.enqueue_once(interval=60)
    with story(visit, url('job_overview')) as operator:
        operator.click(operator.link('Plain'))
        expect(operator.page.locator('.nj-facts dd div')).to_have_count(5)
        operator.page.get_by_label('Interval').fill('')
        operator.page.get_by_label('Or cron').fill('0 4 * * *')
        operator.click(operator.button('Show the next runs'))
        expect(operator.page.locator('.nj-preview li')).to_have_count(5)
        operator.click(operator.page.get_by_role('button', name='Change', exact=True))
        operator.sees('at 04:00 every day')
    assert Schedule.objects.get().cron == '0 4 * * *'


def test_4_what_was_due_during_the_maintenance_is_late_and_runs_once(visit, work):
    Plain.enqueue_once(interval=60)
    due = timezone.now() - timedelta(hours=3)
    with story(visit, url('job_overview')) as operator:
        operator.click(operator.button('Pause all queues'))
        Job.objects.update(scheduled=due, due=to_ms(due))
        work()
        operator.page.reload()
        operator.sees('Late')
        operator.click(operator.button('Resume all queues'))
        recovery.deliver_due()
        recovery.redeliver_vanished()
        work()
        operator.page.reload()
        operator.sees('Active')
    assert Job.objects.filter(status='completed').count() == 1
    assert Job.objects.filter(status='scheduled').count() == 1


def test_4_a_queue_that_drains_says_when_it_is_empty(visit):
    job = Plain.enqueue()
    Job.objects.filter(pk=job.pk).update(status='running', started=job.created, attempt=1)
    with story(visit, url('job_overview')) as operator:
        operator.click(operator.button('Pause all queues'))
        banner = operator.page.locator('.nj-paused')
        expect(banner).to_contain_text('1 job still runs')
        Job.objects.update(status='completed', completed=timezone.now())
        operator.page.reload()
        expect(banner).to_contain_text('No job runs there')


def test_5_the_arguments_of_a_bad_run_are_compared_with_those_of_a_good_one(visit):
    Plain.enqueue(immediate=True)
    Job.objects.update(arguments_shown='pages=3\nregion=EU')
    bad = Plain.enqueue(immediate=True)
    Job.objects.filter(pk=bad.pk).update(
        status='errored', error="KeyError('price')", arguments_shown='pages=300\nregion=EU'
    )
    with story(visit, url('job_changelist')) as operator:
        operator.click(operator.link('Plain'))
        operator.sees('Compared with a run that completed')
        row = operator.page.get_by_role('row', name='pages')
        expect(row.get_by_role('cell')).to_have_text(['300', '3'])
        expect(operator.page.get_by_role('row', name='region')).to_have_count(0)  # it is the same


@pytest.mark.once
def test_without_javascript_the_stories_go_the_same_way(visit, work, runaway):
    """Links, forms and reloads alone: what scripts add is convenience."""
    Fragile.enqueue(host='a', immediate=True)
    Plain.enqueue_once(interval=60)
    with_script = visit(url('job_overview'))
    context = with_script.context.browser.new_context(
        java_script_enabled=False, storage_state=with_script.context.storage_state()
    )
    home = with_script.url.removesuffix(url('job_overview'))
    page = context.new_page()

    def press(name, role='button'):
        page.get_by_role('main').get_by_role(role, name=name).first.click()

    page.goto(home + url('job_errors'))
    press('Retry…')
    press('Retry 1 job')
    assert Job.objects.filter(name__startswith='Retry').exists()
    page.goto(home + url('job_changelist'))
    page.get_by_label(f'Select job {runaway.pk}').check()
    press('Stop…')
    press(f'Stop job {runaway.pk}')
    assert Job.objects.get(pk=runaway.pk).stopping is not None
    page.get_by_role('searchbox', name='Search').fill('error:answer')
    press('Search')
    expect(page.locator('#result_list tbody tr')).to_have_count(1)
    page.locator('#nj-filter-queue summary').click()
    expect(page.locator('#nj-filter-queue').get_by_role('link').first).to_be_visible()
    page.goto(home + url('job_overview'))
    press('Pause all queues')
    expect(page.locator('.nj-paused')).to_be_visible()
    press('Plain', 'link')
    page.get_by_label('Interval').fill('')
    page.get_by_label('Or cron').fill('0 4 * * *')
    press('Show the next runs')
    expect(page.locator('.nj-preview li')).to_have_count(5)
    context.close()

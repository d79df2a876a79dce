"""Five questions of operators, from the first page to the answer, in a browser: each within five clicks."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.urls import reverse
from playwright.sync_api import Locator, Page, expect

from netbox_jobs.jobs import JobRunner
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


def test_3_stop_this_runaway(visit):
    job = Plain.enqueue(name='Runaway')
    Job.objects.filter(pk=job.pk).update(status='running', started=job.created, attempt=1)
    with story(visit, url('job_changelist')) as operator:
        operator.click(operator.link('Runaway'))
        operator.click(operator.link('Stop…'))
        operator.click(operator.button(f'Stop job {job.pk}'))
        operator.sees('Stopping')
    assert Job.objects.get(pk=job.pk).stopping is not None


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

"""The page of performance: which queue is slow, and which runner."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from netbox_jobs.models import Job
from netbox_jobs.monitoring import performance
from tests.app.jobs import Plain, Talking

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = '/admin/netbox_jobs/job/performance/'


def test_queues_and_runners_have_their_times(admin_client):
    Plain.enqueue(immediate=True)
    page = admin_client.get(PAGE)
    [runner] = page.context['runners']
    assert runner.name.endswith('.Plain') and runner.tally.count == 1
    text = page.content.decode()
    assert 'Wait p95' in text and 'Run p99' in text
    assert next(row.name for row in page.context['queues']) == 'default', 'the queue with jobs comes first'
    assert {'high', 'low'} <= {row.name for row in page.context['queues']}


def test_runners_have_their_waiting_jobs_also_those_of_which_none_has_ended(admin_client, monkeypatch):
    Plain.enqueue(immediate=True)
    first, _second = Plain.enqueue(), Plain.enqueue()
    Job.objects.filter(pk=first.pk).update(due=first.due - 3_600_000)
    Talking.enqueue()
    page = admin_client.get(PAGE)
    (plain, talking) = page.context['runners']
    assert (plain.waiting, plain.tally.count, talking.waiting, talking.tally.count) == (2, 1, 1, 0)
    assert timedelta(hours=1) <= timezone.now() - plain.oldest < timedelta(hours=2)
    monkeypatch.setattr(performance, 'WAITING', 1)
    assert '1+' in admin_client.get(PAGE).content.decode()


@pytest.mark.parametrize('period', ['1h', '24h', '7d', 'x'])
def test_each_period_is_a_tab(admin_client, period):
    page = admin_client.get(PAGE, {'period': period})
    assert page.context['period'] == ('24h' if period == 'x' else period)
    assert page.content.decode().count('aria-current="true"') == 1


def test_the_part_that_updates_itself_needs_the_permission(client):
    client.force_login(User.objects.create_user('staff', is_staff=True))
    assert client.get(f'{PAGE}live/').status_code == 403
    assert client.get(PAGE).status_code == 403


def test_the_page_costs_as_many_queries_for_many_runners(admin_client, django_assert_max_num_queries):
    Plain.enqueue(immediate=True)
    admin_client.get(PAGE)
    with django_assert_max_num_queries(30):
        admin_client.get(PAGE)

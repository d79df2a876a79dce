"""The page of a schedule: what will run, and what a change would do."""

import pytest
from django.utils import timezone

from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Plain

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


def page_of(schedule):
    return f'/admin/netbox_jobs/schedule/{schedule.pk}/change/'


def test_cron_is_in_words_and_the_next_five_runs_are_listed(admin_client):
    schedule = Plain.enqueue_once(cron='0 4 * * *').schedule
    page = admin_client.get(page_of(schedule))
    text = page.content.decode()
    assert 'at 04:00 every day' in text and '<code class="nj-nowrap">0 4 * * *</code>' in text
    upcoming = page.context['state'].upcoming
    assert len(upcoming) == 5
    assert {(local.hour, local.minute) for local in map(timezone.localtime, upcoming)} == {(4, 0)}


def test_a_preview_shows_the_next_five_runs_and_changes_nothing(admin_client):
    job = Plain.enqueue_once(interval=60)
    page = admin_client.post(page_of(job.schedule), {'cron': '*/30 * * * *', 'preview': '1'})
    preview = page.context['preview']
    assert len(preview) == 5
    assert {moment.minute for moment in preview} == {0, 30}
    assert 'the next runs are' in page.content.decode()
    assert Schedule.objects.get().interval == 60
    same = ('interval', 'scheduled', 'due', 'status', 'deliveries')
    assert Job.objects.values_list(*same).get() == tuple(getattr(Job.objects.get(pk=job.pk), name) for name in same)
    assert Job.objects.get().interval == 60


def test_the_change_then_runs_when_the_preview_said(admin_client):
    job = Plain.enqueue_once(interval=60)
    given = {'cron': '0 4 * * *'}
    preview = admin_client.post(page_of(job.schedule), {**given, 'preview': '1'}).context['preview']
    admin_client.post(page_of(job.schedule), given)
    assert Job.objects.get().scheduled == preview[0]


def test_a_preview_of_what_is_no_recurrence_says_so(admin_client):
    job = Plain.enqueue_once(interval=60)
    page = admin_client.post(page_of(job.schedule), {'cron': 'often', 'preview': '1'})
    assert 'expected five fields' in page.content.decode()
    assert page.context['preview'] == []


def test_a_paused_schedule_has_no_next_runs(admin_client):
    schedule = Plain.enqueue_once(interval=60).schedule
    schedule.pause()
    assert admin_client.get(page_of(schedule)).context['state'].upcoming == []

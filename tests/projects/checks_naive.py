"""What must hold with `USE_TZ = False`, a user model of one's own, and any order of apps."""

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils import timezone

from netbox_jobs.core.recurrence import Recurrence
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job
from tests.app.jobs import Housekeeping, Plain, Talking
from tests.app.models import Thing
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_job_about_an_object_for_a_user(work):
    user, thing = get_user_model().objects.create(username='u'), Thing.objects.create()
    job = Plain.enqueue(instance=thing, user=user, who=user)
    work()
    assert (status(job), job.user, job.object, job.data) == ('completed', user, thing, {'who': 'u'})
    assert timezone.is_naive(job.started)
    user.delete()
    job.refresh_from_db()
    assert job.user is None


def test_naive_and_aware_times_are_local_times():
    naive = datetime.now().replace(microsecond=0) + timedelta(hours=1)
    aware = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    for given in (naive, aware):
        job = Job.objects.get(pk=Plain.enqueue(schedule_at=given).pk)
        assert job.status == 'scheduled'
        assert timezone.is_naive(job.scheduled)
        assert abs(job.scheduled - naive) <= timedelta(seconds=2)


def test_a_scheduled_job_runs_at_its_time_and_a_periodic_one_again(work):
    job = Plain.enqueue(schedule_at=datetime.now() + timedelta(hours=1), interval=60)
    due = job.due
    assert recovery.deliver_due() == 0
    Job.objects.filter(pk=job.pk).update(due=due - 3_700_000)
    assert recovery.deliver_due() == 1
    work()
    assert status(job) == 'completed'
    following = Plain.get_jobs().waiting().get()
    assert following.scheduled == job.scheduled + timedelta(hours=1)
    assert following.due == due + 3_600_000


@pytest.mark.parametrize(
    ('previous', 'following'),
    [
        (datetime(2099, 3, 29, 1, 30), datetime(2099, 3, 29, 3, 30)),  # the clock goes from 2 to 3
        (datetime(2099, 10, 25, 1, 30), datetime(2099, 10, 25, 2, 30)),  # the first of two half past two
    ],
)
def test_an_hour_is_an_hour_when_the_clock_changes(previous, following):
    assert Recurrence(60).next(previous, previous - timedelta(hours=1)) == following


def test_the_hour_that_winter_time_repeats_is_two_hours_for_when_jobs_are_due():
    first = datetime(2099, 10, 25, 2, 30)
    job = Plain.enqueue(schedule_at=first)
    later = Plain.enqueue(schedule_at=first.replace(fold=1))
    assert later.due - job.due == 3_600_000


def test_log_and_times_of_a_run_are_in_order(work):
    job = Talking.enqueue(lines=2)
    work()
    job.refresh_from_db()
    times = [entry['timestamp'] for entry in job.log_entries]
    assert all(timezone.is_naive(moment) for moment in times)
    assert job.created <= job.started <= times[0] <= times[1] <= job.completed
    assert timedelta() <= job.execution_time < timedelta(seconds=30)


def test_a_plugin_that_stands_first_has_its_queues_settings_and_system_jobs(work):
    from netbox_jobs.core.registry import system_jobs
    from netbox_jobs.plugins import get_plugin_config

    assert settings.INSTALLED_APPS[0] == 'tests.app'
    assert get_plugin_config('tests.app', 'limit') == 7
    assert Housekeeping in system_jobs
    job = Plain.enqueue(queue_name='tests.app.work')
    work('tests.app.work')
    assert status(job) == 'completed'


def test_the_admin_lists_and_filters_jobs_by_a_user_with_a_key_of_another_type(admin_client, admin_user):
    job = Plain.enqueue(user=admin_user)
    Plain.enqueue()
    for query in ('', f'?user={admin_user.pk}', '?q=Plain'):
        page = admin_client.get(f'/admin/netbox_jobs/job/{query}')
        assert page.status_code == 200, query
        assert job in page.context['cl'].result_list


def test_enqueue_once_compares_times_as_they_are_stored():
    when = datetime.now() + timedelta(hours=1)
    first = Plain.enqueue_once(schedule_at=when)
    second = Plain.enqueue_once(schedule_at=when)
    assert (second.pk, second.deliveries, second.status) == (first.pk, 0, 'scheduled')

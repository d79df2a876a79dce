"""`enqueue_once()` of runners that override `enqueue` or `enqueue_once`."""

import pytest
from django.utils import timezone

from netbox_jobs.lifecycle import claim
from netbox_jobs.models import Schedule
from tests.app.jobs import Overriding, Sleeping, Translating
from tests.enqueue.times import at

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_overridden_enqueue_makes_the_job_of_enqueue_once_too(work):
    job = Overriding.enqueue_once(interval=10)
    assert (job.queue_name, Schedule.objects.get().queue_name) == ('low', 'low')
    work()
    job.refresh_from_db()
    assert job.data == {'marked': 'yes'}
    assert Overriding.enqueue_once(interval=10).predecessor_id == job.pk


def test_p4_what_an_overridden_enqueue_makes_of_the_arguments_reaches_the_waiting_job(work):
    when = at(1)
    first = Translating.enqueue_once(interval=60, kind='vm', schedule_at=when)
    again = Translating.enqueue_once(interval=60, kind='vm')
    other = Translating.enqueue_once(interval=30, kind='node')
    assert first.pk == again.pk == other.pk
    other.refresh_from_db()
    assert (other.get_arguments(), other.data, other.interval) == ({'kinds': ['NODE']}, {'kinds': ['NODE']}, 30)
    assert other.scheduled == when
    Translating.enqueue_once(schedule_at=timezone.now())
    work()
    other.refresh_from_db()
    assert (other.status, other.data) == ('completed', {'ran': ['NODE']})
    assert Translating.get_jobs().waiting().get().get_arguments() == {'kinds': ['NODE']}


def test_an_overridden_enqueue_is_not_called_where_nothing_changes():
    job = Translating.enqueue_once(interval=60)
    calls = Translating.calls
    assert Translating.enqueue_once(interval=60) == Translating.enqueue_once() == job
    assert Translating.calls == calls


def test_an_overridden_enqueue_beside_a_running_job_makes_a_successor_only_if_something_changes():
    job = Translating.enqueue_once(kind='vm')
    claim.claim(str(job.job_id), 'w', 'default')
    assert Translating.enqueue_once(kind='vm') == job
    assert Translating.get_jobs().count() == 1
    following = Translating.enqueue_once(kind='node')
    assert (following.predecessor_id, following.get_arguments()) == (job.pk, {'kinds': ['NODE']})


def test_an_overridden_enqueue_keeps_the_first_time_of_a_new_cron():
    job = Translating.enqueue_once(interval=60, kind='vm')
    Translating.enqueue_once(cron='0 3 * * *', kind='vm')
    job.refresh_from_db()
    assert (job.status, timezone.localtime(job.scheduled).hour) == ('scheduled', 3)


def test_p4_an_overridden_enqueue_whose_job_is_claimed_in_this_very_moment(meanwhile):
    job = Translating.enqueue_once(interval=10, kind='vm')
    meanwhile('update_waiting', lambda: claim.claim(str(job.job_id), 'w', 'default'))
    following = Translating.enqueue_once(kind='node')
    assert (following.predecessor_id, following.get_arguments()) == (job.pk, {'kinds': ['NODE']})


def test_an_overridden_enqueue_once_works():
    class Own(Sleeping):
        @classmethod
        def enqueue_once(cls, instance=None, schedule_at=None, interval=None, *args, **kwargs):
            return super().enqueue_once(instance, schedule_at, interval or 7, *args, **kwargs)

    Own.__module__, Own.__qualname__ = 'tests.app.jobs', 'Own'
    assert Own.enqueue_once().interval == 7

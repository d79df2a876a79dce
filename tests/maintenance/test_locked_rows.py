"""Recovery beside transactions of others that take long: it leaves what they have locked, and goes on."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from netbox_jobs.broker import delivery
from netbox_jobs.lifecycle import claim
from netbox_jobs.lifecycle.wait import put_back
from netbox_jobs.maintenance import chains, recovery, retention, slots
from netbox_jobs.models import Job, Schedule
from netbox_jobs.worker import reap
from tests.app.jobs import Plain
from tests.app.limited import OfTenant
from tests.app.models import Thing
from tests.sessions import elsewhere

pytestmark = pytest.mark.django_db(transaction=True)


def _old():
    jobs = [claim.claim(str(Plain.enqueue().job_id), 'worker', 'default') for _ in range(2)]
    for job in jobs:
        job.terminate()
    Job.objects.update(created=timezone.now() - timedelta(days=9), completed=timezone.now() - timedelta(days=8))
    return jobs


def _due():
    return Plain.enqueue_many([{'schedule_at': timezone.now() + timedelta(days=1)}] * 2)


def _outlived():
    return Plain.enqueue_many([{'ttl': 60}] * 2)


def _limited():
    jobs = OfTenant.enqueue_many([{'tenant': tenant} for tenant in 'ab'])
    for job in jobs:
        assert put_back(Job.objects.get(pk=job.pk))
    return jobs


def _broken():
    first = Plain.enqueue()
    jobs = [Plain.enqueue(depends_on=first) for _ in range(2)]
    Job.objects.filter(pk=first.pk).update(status='errored')
    return jobs


#: Two jobs, what recovery does with them, and the statuses that they have then; None if they are deleted.
DUTIES = {
    'delivery of due jobs': (_due, recovery.deliver_due, 'scheduled', 'pending'),
    'delivery of lost jobs': (lambda: Plain.enqueue_many([{}] * 2), recovery.redeliver_vanished, 'pending', 'pending'),
    'the end of what outlived its ttl': (_outlived, recovery.redeliver_vanished, 'pending', 'canceled'),
    'delivery of limited jobs': (_limited, recovery.deliver_due, 'scheduled', 'pending'),
    'the end of what depends on an errored job': (_broken, recovery.settle_dependents, 'pending', 'errored'),
    'retention': (_old, lambda: retention.prune(7), 'completed', None),
}


@pytest.mark.parametrize('duty', DUTIES)
def test_recovery_leaves_a_job_that_a_view_has_changed_and_goes_on_with_the_others(duty):
    make, act, before, after = DUTIES[duty]
    locked, other = make()
    Job.objects.filter(due__isnull=False).update(due=1)
    delivery.queue('default').connection.flushdb()
    with elsewhere(lambda: Job.objects.filter(pk=locked.pk).update(name='x')):
        act()
        found = dict(Job.objects.values_list('pk', 'status'))
        assert (found[locked.pk], found.get(other.pk)) == (before, after)
    act()
    assert dict(Job.objects.values_list('pk', 'status')).get(locked.pk) == after


def test_a_changed_time_zone_is_followed_although_a_view_keeps_one_of_the_schedules_locked():
    things = [Thing.objects.create() for _ in range(2)]
    locked, other = (Plain.enqueue_once(instance=thing, cron='0 3 * * *').schedule for thing in things)
    Schedule.objects.update(default_zone='Asia/Tokyo')
    with elsewhere(lambda: Schedule.objects.filter(pk=locked.pk).update(name='x')):
        chains.follow_time_zone(lambda: None)
        zones = dict(Schedule.objects.values_list('pk', 'default_zone'))
        assert zones == {locked.pk: 'Asia/Tokyo', other.pk: settings.TIME_ZONE}
    chains.follow_time_zone(lambda: None)
    assert not Schedule.objects.exclude(default_zone=settings.TIME_ZONE).exists()


def test_a_slot_is_not_taken_back_from_a_job_that_a_view_has_changed_and_a_stop_does_not_wait_for_one():
    job = OfTenant.enqueue(tenant='a')
    running = claim.claim(str(Plain.enqueue().job_id), 'worker', 'default')
    with elsewhere(lambda: Job.objects.update(name='x')):
        assert not slots._line_up_again(Job.objects.get(pk=job.pk), 'default')
        assert reap.begin_stop(str(running.job_id)) >= 0
    assert slots._line_up_again(Job.objects.get(pk=job.pk), 'default')
    assert Job.objects.get(status='scheduled', due=None, held=True) == job

"""P5: `enqueue_once()` under concurrent callers, and beside a worker that takes the job in this moment."""

import threading

import pytest
from django.db import IntegrityError, connection, transaction

from netbox_jobs.broker import delivery
from netbox_jobs.lifecycle import claim, deliver, requeue
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Plain
from tests.enqueue.times import at

pytestmark = pytest.mark.django_db(transaction=True)


def test_p5_once_under_concurrent_callers():
    found, errors = [], []

    def call():
        try:
            for _ in range(10):
                found.append(Plain.enqueue_once(interval=10, word='x').pk)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert len(found) == 60
    assert len(set(found)) == 1
    assert len(delivery.queue('default').job_ids) == 1


def test_p5_the_database_itself_allows_one_waiting_job():
    job = Plain.enqueue_once(interval=10)
    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.create(name='another', slot=job.slot)
    with pytest.raises(IntegrityError), transaction.atomic():
        Schedule.objects.create(key=job.schedule.key, runner='x', name='x', queue_name='low')


def test_a_job_delivered_anew_in_this_very_moment_is_updated_all_the_same(meanwhile):
    job, when = Plain.enqueue_once(interval=10), at(1)
    meanwhile('update_waiting', lambda: deliver.make_deliverable(Job.objects.get(pk=job.pk)))
    assert Plain.enqueue_once(schedule_at=when).pk == job.pk
    job.refresh_from_db()
    assert (job.status, job.scheduled, job.deliveries) == ('scheduled', when, 2)


def test_a_job_claimed_in_this_very_moment_gets_a_successor(meanwhile):
    job, when = Plain.enqueue_once(interval=10), at(1)
    meanwhile('update_waiting', lambda: claim.claim(str(job.job_id), 'w', 'default'))
    following = Plain.enqueue_once(schedule_at=when)
    assert (following.predecessor_id, following.scheduled) == (job.pk, when)


def test_a_job_given_back_in_this_very_moment_is_updated_itself(meanwhile):
    job, when = Plain.enqueue_once(interval=10), at(1)
    running = claim.claim(str(job.job_id), 'w', 'default')
    meanwhile('succeed', lambda: requeue.requeue(running, 0))
    assert Plain.enqueue_once(schedule_at=when).pk == job.pk
    job.refresh_from_db()
    assert (job.status, job.scheduled, job.slot) == ('scheduled', when, job.schedule_id)
    assert Plain.get_jobs().count() == 1


def test_a_job_given_back_between_the_looks_is_seen():
    job = Plain.enqueue_once(interval=10)
    running = claim.claim(str(job.job_id), 'w', 'default')
    looks = []

    def look(execute, sql, *args):
        if 'slot' in sql.partition('WHERE')[2] and sql.startswith(('SELECT', '(SELECT')):
            looks.append(sql)
            if len(looks) == 2:  # the first one saw that the slot is free
                requeue.requeue(running, 0)
        return execute(sql, *args)

    with connection.execute_wrapper(look):
        assert Plain.enqueue_once(queue_name='low').pk == job.pk
    job.refresh_from_db()
    assert (job.queue_name, Plain.get_jobs().count()) == ('low', 1)
    assert len(looks) >= 2

"""`enqueue_once()` means once, and updates in place."""

import pytest
from django.db import connection, transaction
from django.utils import timezone

from netbox_jobs.broker import delivery
from netbox_jobs.jobs import JobRunner
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Failing, Plain, Sleeping
from tests.app.models import TextThing, Thing
from tests.enqueue.times import at
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def test_p5_twice_the_same_is_one_job():
    thing, when = Thing.objects.create(), at(1)
    first = Plain.enqueue_once(instance=thing, schedule_at=when, interval=10)
    second = Plain.enqueue_once(instance=thing, schedule_at=when, interval=10)
    assert first.pk == second.pk
    assert Plain.get_jobs(thing).count() == 1


def test_a_changed_time_or_interval_updates_the_waiting_job_in_place():
    thing = Thing.objects.create()
    first = Plain.enqueue_once(instance=thing, schedule_at=at(1), interval=10)
    later = at(2)
    second = Plain.enqueue_once(instance=thing, schedule_at=later, interval=20)
    assert (second.pk, second.scheduled, second.interval) == (first.pk, later, 20)
    first.refresh_from_db()
    assert (first.scheduled, first.interval) == (later, 20)


def test_what_is_omitted_stays_as_it_is():
    when = at(1)
    first = Plain.enqueue_once(schedule_at=when, interval=10, queue_name='low', word='x')
    second = Plain.enqueue_once()
    assert (second.pk, second.scheduled, second.interval, second.queue_name) == (first.pk, when, 10, 'low')
    assert second.get_arguments() == {'word': 'x'}


def test_arguments_queue_and_user_are_updated_in_place(django_user_model):
    user = django_user_model.objects.create(username='u')
    first = Plain.enqueue_once(schedule_at=at(1), word='x')
    second = Plain.enqueue_once(word='y', queue_name='high', user=user)
    assert (second.pk, second.queue_name, second.user) == (first.pk, 'high', user)
    assert second.get_arguments() == {'word': 'y'}


def test_a_pending_job_that_moves_to_another_queue_is_delivered_there(work):
    job = Plain.enqueue_once()
    Plain.enqueue_once(queue_name='low')
    assert delivery.queue('default').job_ids == []
    assert delivery.queue('low').job_ids == [f'{job.job_id}-2']
    work()
    assert status(job) == 'completed'


def test_a_pending_job_that_is_put_off_does_not_run_before_its_time(work):
    job = Plain.enqueue_once()
    Plain.enqueue_once(schedule_at=at(1))
    work()
    assert status(job) == 'scheduled'


def test_a_pending_job_whose_time_limit_changes_is_delivered_with_that():
    Plain.enqueue_once(job_timeout=3)
    job = Job.objects.get(pk=Plain.enqueue_once(job_timeout=60).pk)
    assert delivery.queue('default').job_ids == [job.delivery_id]
    assert delivery.queue('default').fetch_job(job.delivery_id).timeout == 60


def test_what_waits_for_others_waits_on_when_its_time_limit_changes(work):
    other = Plain.enqueue(queue_name='low')
    Plain.enqueue_once(depends_on=other)
    job = Plain.enqueue_once(job_timeout=99)
    assert Job.objects.get(pk=job.pk).due is None
    work('low')
    work()
    assert (status(other), status(job), job.job_timeout) == ('completed', 'completed', 99)


def test_jobs_made_by_enqueue_are_neither_touched_nor_counted():
    thing = Thing.objects.create()
    plain = Plain.enqueue(instance=thing, schedule_at=at(1))
    unique = Plain.enqueue_once(instance=thing, schedule_at=at(2))
    more = Plain.enqueue(instance=thing)
    assert len({plain.pk, unique.pk, more.pk}) == 3


def test_identity_is_the_runner_and_the_instance_and_not_the_name():
    class Namesake(JobRunner):
        class Meta:
            name = 'Plain'

        def run(self):
            pass

    thing, other = Thing.objects.create(), Thing.objects.create()
    jobs = [
        Plain.enqueue_once(),
        Plain.enqueue_once(instance=thing),
        Plain.enqueue_once(instance=other),
        Failing.enqueue_once(),
    ]
    assert len({job.pk for job in jobs}) == 4
    assert set(Plain.get_jobs()) == set(jobs[:3])
    assert set(Plain.get_jobs(thing)) == {jobs[1]}
    assert not Namesake.get_jobs().exists()


def test_after_its_end_a_one_shot_job_can_be_enqueued_once_again(work):
    first = Plain.enqueue_once()
    work()
    second = Plain.enqueue_once()
    assert second.pk != first.pk
    assert Schedule.objects.count() == 1


def test_p8_bad_input_writes_nothing():
    with pytest.raises(ValueError):
        Plain.enqueue_once(interval=0)
    with pytest.raises(TypeError):
        Plain.enqueue_once(word=connection)
    with pytest.raises(ValueError, match='immediate'):
        Plain.enqueue_once(immediate=True)
    assert not Job.objects.exists()
    assert not Schedule.objects.exists()


def test_on_the_deletion_of_its_waiting_job_a_schedule_ends():
    Plain.enqueue_once(interval=10).delete()
    assert not Schedule.objects.exists()
    assert Plain.enqueue_once(interval=10).status == 'pending'


@pytest.mark.parametrize('make', [lambda: Thing.objects.create(), lambda: TextThing.objects.create(code='some key')])
def test_p5_one_for_each_instance_of_any_primary_key(make):
    thing = make()
    assert Plain.enqueue_once(thing).pk == Plain.enqueue_once(instance=type(thing).objects.get()).pk


def test_texts_that_differ_in_case_are_different_instances():
    lower, upper = TextThing(code='key'), TextThing(code='KEY')
    lower.save(force_insert=True)
    upper._state.adding = False
    assert Plain.enqueue_once(lower).pk != Plain.enqueue_once(upper).pk


def test_positional_arguments_are_instance_time_and_interval():
    thing, when = Thing.objects.create(), at(3)
    job = Plain.enqueue_once(thing, when, 25)
    assert (job.object, job.scheduled, job.interval) == (thing, when, 25)


def test_rq_sees_it_after_the_commit_and_never_after_a_rollback():
    with transaction.atomic():
        Plain.enqueue_once()
        transaction.set_rollback(True)
    assert delivery.queue('default').job_ids == []
    assert not Schedule.objects.exists()
    with transaction.atomic():
        job = Plain.enqueue_once()
        assert delivery.queue('default').job_ids == []
    assert delivery.queue('default').job_ids == [str(job.job_id)]


def test_a_rolled_back_change_leaves_the_waiting_job_as_it_was(work):
    job = Plain.enqueue_once(word='x')
    with transaction.atomic():
        Plain.enqueue_once(schedule_at=at(1), word='y')
        transaction.set_rollback(True)
    work()
    assert (status(job), job.data) == ('completed', {'word': 'x'})


def test_a_waiting_job_that_a_query_has_given_up_does_not_block_the_next():
    given_up = Plain.enqueue_once(schedule_at=at(1), interval=60)
    Job.objects.filter(pk=given_up.pk).update(status='failed', completed=timezone.now())
    job = Plain.enqueue_once(schedule_at=at(1), interval=60)
    assert (job.status, job.interval) == ('scheduled', 60)
    assert status(given_up) == 'failed'


def test_a_scheduled_job_that_is_wanted_now_runs_now(work):
    job = Plain.enqueue_once(schedule_at=at(5))
    Plain.enqueue_once(schedule_at=timezone.now())
    work()
    assert status(job) == 'completed'


def test_queries_do_not_grow_with_the_jobs_of_others(django_assert_max_num_queries):
    for _ in range(30):
        Plain.enqueue(instance=Thing.objects.create())
    Plain.enqueue_once(interval=10)
    with django_assert_max_num_queries(6):
        Plain.enqueue_once(interval=10)


def test_options_of_rq_reach_the_waiting_job():
    job = Plain.enqueue_once(interval=10)
    Plain.enqueue_once(ttl=50, meta={'m': 1})
    job.refresh_from_db()
    assert job.options == {'ttl': 50, 'meta': {'m': 1}}
    told = delivery.queue('default').fetch_job(job.delivery_id)
    assert (told.ttl, told.meta, job.deliveries) == (50, {'m': 1}, 2)
    Plain.enqueue_once(ttl=50)
    assert Job.objects.get(pk=job.pk).deliveries == 2


def test_a_waiting_job_waits_for_what_enqueue_once_names(work):
    job = Plain.enqueue_once(interval=10)
    first = Sleeping.enqueue(seconds=0, schedule_at=at(1))
    assert Plain.enqueue_once(depends_on=first).pk == job.pk
    work()
    job.refresh_from_db()
    assert (job.status, job.due) == ('pending', None)
    Job.objects.filter(pk=first.pk).update(due=0)
    recovery.deliver_due()
    work()
    assert status(job) == 'completed'
    assert Plain.enqueue_once(depends_on=first).predecessor_id == job.pk

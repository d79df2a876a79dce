"""`enqueue_once()` means once, and updates in place."""

import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from netbox_jobs.broker import delivery
from netbox_jobs.enqueue import unique
from netbox_jobs.jobs import JobRunner
from netbox_jobs.lifecycle import claim, deliver, finish, requeue
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Failing, Overriding, Plain, Sleeping, Translating
from tests.app.models import TextThing, Thing
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def at(hours):
    return timezone.now() + timedelta(hours=hours)


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


def test_while_it_runs_the_occurrence_after_may_wait_for_others(work):
    job, other = Plain.enqueue_once(interval=10), Plain.enqueue(queue_name='low')
    job.start()
    after = Plain.enqueue_once(interval=20, depends_on=other)
    job.terminate()
    assert Job.objects.get(pk=after.pk).due is None
    work('low')
    assert Job.objects.get(pk=after.pk).due is not None


def test_while_it_runs_the_runners_own_name_can_be_given_back():
    Plain.enqueue_once(interval=10, name='custom').start()
    assert Plain.enqueue_once(interval=20).name == 'custom'
    assert Plain.enqueue_once(interval=20, name='Plain').name == 'Plain'


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


def test_while_it_runs_an_unchanged_call_returns_the_running_job():
    job = Plain.enqueue_once(interval=10)
    job.start()
    assert Plain.enqueue_once(interval=10).pk == job.pk
    assert Plain.get_jobs().count() == 1


def test_while_it_runs_a_change_lands_on_the_next_occurrence():
    job = Plain.enqueue_once(interval=10)
    job.start()
    following = Plain.enqueue_once(interval=30)
    assert following.pk != job.pk
    assert (following.predecessor_id, following.interval) == (job.pk, 30)
    assert status(job) == 'running'
    job.terminate()
    assert [j.pk for j in Plain.get_jobs().waiting()] == [following.pk]
    assert following.scheduled - job.started == timedelta(minutes=30)


@pytest.mark.parametrize('change', [{'interval': 30}, {'notifications': 'never'}])
def test_p4_while_it_runs_what_a_change_omits_is_as_the_running_job_has_it(work, django_user_model, change):
    user = django_user_model.objects.create(username='u')
    named = {
        'name': 'own name', 'user': user, 'queue_name': 'low', 'job_timeout': 44, 'notifications': 'on_failure',
        'max_retries': 3, 'retry_on': [OSError], 'description': 'words', 'word': 'x',
    }  # fmt: skip
    job = Plain.enqueue_once(interval=10, **named)
    job.start()
    following = Job.objects.get(pk=Plain.enqueue_once(**change).pk)
    kept = ('name', 'user', 'queue_name', 'job_timeout', 'notifications', 'retry_policy', 'options', 'interval')
    wanted = {name: getattr(job, name) for name in kept} | change
    assert {name: getattr(following, name) for name in kept} == wanted
    assert following.get_arguments() == {'word': 'x'}
    shared = ('name', 'user', 'queue_name', 'job_timeout', 'notifications', 'interval')
    assert {name: getattr(following.schedule, name) for name in shared} == {name: wanted[name] for name in shared}


def test_after_its_end_a_one_shot_job_can_be_enqueued_once_again(work):
    first = Plain.enqueue_once()
    work()
    second = Plain.enqueue_once()
    assert second.pk != first.pk
    assert Schedule.objects.count() == 1


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


def test_p8_bad_input_writes_nothing():
    with pytest.raises(ValueError):
        Plain.enqueue_once(interval=0)
    with pytest.raises(TypeError):
        Plain.enqueue_once(word=connection)
    with pytest.raises(ValueError, match='immediate'):
        Plain.enqueue_once(immediate=True)
    assert not Job.objects.exists()
    assert not Schedule.objects.exists()


def test_end_schedule_deletes_the_waiting_job_and_lets_a_running_one_finish():
    assert Plain.end_schedule() is False
    Plain.enqueue_once(interval=10)
    assert Plain.end_schedule() is True
    assert not Job.objects.exists()
    job = Plain.enqueue_once(interval=10)
    job.start()
    Plain.end_schedule()
    job.terminate()
    assert [j.status for j in Plain.get_jobs()] == ['completed']


def test_p7_deleting_the_running_job_takes_the_arranged_occurrence_along():
    job = Plain.enqueue_once(interval=10)
    job.start()
    Plain.enqueue_once(interval=30)
    Job.objects.get(pk=job.pk).delete()
    assert not Job.objects.exists()
    assert not Schedule.objects.exists()


def test_two_occurrences_never_run_side_by_side(work):
    from netbox_jobs.maintenance import recovery

    job = Plain.enqueue_once(interval=10)
    job.start()
    following = Plain.enqueue_once(schedule_at=timezone.now())
    assert recovery.deliver_due() == 0
    job.terminate()
    assert recovery.deliver_due() == 1
    work()
    assert status(following) == 'completed'


def test_on_the_deletion_of_its_waiting_job_a_schedule_ends():
    Plain.enqueue_once(interval=10).delete()
    assert not Schedule.objects.exists()
    assert Plain.enqueue_once(interval=10).status == 'pending'


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


@pytest.fixture
def meanwhile(monkeypatch):
    """Have something happen to the job when `enqueue_once()` has found it, before what it does then."""

    def _meanwhile(step, happens):
        real, done = getattr(unique, step), []

        def stepped(*args):
            if not done:
                done.append(True)
                happens()
            return real(*args)

        monkeypatch.setattr(unique, step, stepped)

    return _meanwhile


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
            if len(looks) == 2:  # the first one saw that nobody has the slot
                requeue.requeue(running, 0)
        return execute(sql, *args)

    with connection.execute_wrapper(look):
        assert Plain.enqueue_once(queue_name='low').pk == job.pk
    job.refresh_from_db()
    assert (job.queue_name, Plain.get_jobs().count()) == ('low', 1)
    assert len(looks) >= 2


def test_a_rolled_back_change_leaves_the_waiting_job_as_it_was(work):
    job = Plain.enqueue_once(word='x')
    with transaction.atomic():
        Plain.enqueue_once(schedule_at=at(1), word='y')
        transaction.set_rollback(True)
    work()
    assert (status(job), job.data) == ('completed', {'word': 'x'})


def test_a_waiting_job_that_a_query_has_given_up_is_in_nobodys_way():
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


def test_a_run_may_call_enqueue_once_for_itself(work):
    class Itself(JobRunner):
        def run(self):
            self.job.data = Itself.enqueue_once(interval=30).pk

    Itself.__module__, Itself.__qualname__ = 'tests.app.jobs', 'Itself'
    Itself.enqueue(immediate=True)
    assert Itself.get_jobs().waiting().count() == 1
    assert Itself.enqueue_once(interval=30).pk == Itself.get_jobs().ended().get().data


def test_a_suspended_chain_goes_on_when_it_is_asked_for_again(work):
    job = Plain.enqueue_once(interval=10, word='x')
    Job.objects.filter(pk=job.pk).update(arguments=b'changed')
    work()
    assert status(job) == 'errored'
    assert not Plain.get_jobs().waiting().exists()
    again = Plain.enqueue_once(interval=10, word='x')
    work()
    assert status(again) == 'completed'
    assert Plain.get_jobs().waiting().get().predecessor_id == again.pk
    assert Schedule.objects.get().suspended == ''


def test_p4_a_suspended_chain_that_is_asked_for_again_has_what_it_had(work):
    job = Plain.enqueue_once(interval=10, word='x', queue_name='low')
    work()
    Schedule.objects.update(suspended='its runner was away')
    Job.objects.waiting().update(status='errored', slot=None, completed=timezone.now())
    again = Plain.enqueue_once(interval=10)
    assert again.pk > job.pk
    assert (again.queue_name, again.get_arguments(), again.predecessor_id) == ('low', {'word': 'x'}, None)


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


def test_what_is_arranged_beside_a_running_job_does_not_begin_before_that_has_ended(work):
    job = Plain.enqueue_once(a=1)
    running = claim.claim(str(job.job_id), 'w', 'default')
    following = Plain.enqueue_once(a=2)
    Plain.enqueue_once(schedule_at=timezone.now())
    following.refresh_from_db()
    assert following.status == 'scheduled'
    assert following.schedule.run_now().status == 'scheduled'
    recovery.deliver_due()
    assert status(following) == 'scheduled'
    assert finish.finish(running, 'completed')
    recovery.deliver_due()
    work()
    assert status(following) == 'completed'


def test_what_waited_for_others_does_not_begin_beside_a_running_occurrence(work):
    job = Plain.enqueue_once(a=1)
    running = claim.claim(str(job.job_id), 'w', 'default')
    first = Sleeping.enqueue(seconds=0)
    following = Plain.enqueue_once(a=2, depends_on=first)
    work()
    assert status(first) == 'completed'
    assert status(following) == 'scheduled'
    assert finish.finish(running, 'completed')
    recovery.deliver_due()
    work()
    assert status(following) == 'completed'

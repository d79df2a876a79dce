"""`enqueue_once()` while the job runs, and for chains that were ended or suspended."""

from datetime import timedelta

import pytest
from django.utils import timezone

from netbox_jobs.jobs import JobRunner
from netbox_jobs.lifecycle import claim, finish
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Plain, Sleeping
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


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

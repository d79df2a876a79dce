"""P7: canceling means it, stopping means it; a job that has ended can be had once more."""

import time

import pytest
from django.db import transaction

from netbox_jobs.broker import delivery
from netbox_jobs.core import identity, runs
from netbox_jobs.exceptions import InstanceGone, JobCanceled, RunnerNotFound
from netbox_jobs.execution import time_limit
from netbox_jobs.execution.execution import Execution
from netbox_jobs.execution.time_limit import Deadline, Span
from netbox_jobs.jobs import JobRunner
from netbox_jobs.lifecycle import claim, stop
from netbox_jobs.models import Job, Schedule
from netbox_jobs.signals import job_end, job_start
from tests.app.jobs import Erring, Orderly, Overriding, Plain, plain_function
from tests.app.models import Thing, Trace
from tests.processes import status
from tests.renaming import rename

pytestmark = pytest.mark.django_db(transaction=True)


# cancel


def test_p7_a_canceled_job_never_runs_and_leaves_rq(work):
    job = Plain.enqueue()
    assert job.cancel() is True
    assert (status(job), job.error, job.started) == ('canceled', '', None)
    assert job.completed is not None
    assert delivery.queue('default').job_ids == []
    work()
    assert not Trace.objects.exists()


def test_p7_a_delivery_that_could_not_be_withdrawn_is_a_no_op(work):
    job = Plain.enqueue()
    Job.objects.get(pk=job.pk).cancel()
    delivery.queue('default').enqueue_call(delivery.ENTRY, args=(str(job.job_id),))
    work()
    assert (status(job), Trace.objects.count()) == ('canceled', 0)


def test_p7_a_cancel_that_rolls_back_changes_nothing(work):
    job = Plain.enqueue()
    with transaction.atomic():
        Job.objects.get(pk=job.pk).cancel()
        transaction.set_rollback(True)
    assert status(job) == 'pending'
    assert delivery.queue('default').job_ids == [str(job.job_id)]
    work()
    assert status(job) == 'completed'


def test_a_scheduled_job_can_be_canceled_and_a_job_that_has_ended_cannot(work):
    job = Plain.enqueue(interval=60)
    work()
    waiting = Job.objects.waiting().get()
    assert waiting.cancel() is True
    assert Job.objects.get(pk=job.pk).cancel() is False
    assert status(job) == 'completed'
    assert waiting.cancel() is False


def test_canceling_skips_one_occurrence(work):
    job = Plain.enqueue_once(interval=60)
    job.cancel()
    following = Job.objects.waiting().get()
    assert following.predecessor_id == job.pk
    assert following.scheduled > job.created
    assert Schedule.objects.get().runs == 0


def test_a_canceled_job_tells_that_it_has_ended():
    told = []

    def listen(sender, **kwargs):
        told.append(sender.status)

    job_end.connect(listen)
    try:
        Plain.enqueue().cancel()
    finally:
        job_end.disconnect(listen)
    assert told == ['canceled']


def test_what_depends_on_a_canceled_job_does_not_run(work):
    first = Plain.enqueue()
    second = Plain.enqueue(depends_on=first)
    first.cancel()
    work()
    assert status(second) == 'errored'
    assert 'canceled' in second.error


# stop


def test_stopping_a_job_that_waits_cancels_it():
    job = Plain.enqueue()
    assert job.stop() is True
    assert status(job) == 'canceled'
    assert job.stop() is False


def test_p7_check_canceled_leaves_a_run_in_order_in_any_worker(work):
    """RQ's SimpleWorker has no process of ours behind it: the row tells."""
    job = StoppingItself.enqueue()
    work()
    assert (status(job), job.error) == ('canceled', 'It was stopped while it ran.')
    assert list(Trace.objects.values_list('what', flat=True)) == ['start', 'cleaned']


def test_p7_an_immediate_job_can_be_stopped_too():
    job = StoppingItself.enqueue(immediate=True)
    assert job.status == 'canceled'


def test_whatever_a_stopped_run_raises_it_ends_as_canceled(work):
    job = StoppingItself.enqueue(how='raises')
    work()
    assert status(job) == 'canceled'
    assert any('no orderly end' in entry['message'] for entry in job.log_entries)


def test_a_stopped_job_is_not_retried(work):
    job = StoppingItself.enqueue(how='raises', max_retries=3, retry_backoff=0)
    work()
    assert (status(job), job.retries) == ('canceled', 0)


def test_a_stopped_periodic_job_has_its_successor_unless_the_schedule_is_ended(work):
    job = StoppingItself.enqueue_once(interval=60)
    work()
    assert status(job) == 'canceled'
    assert Job.objects.waiting().get().predecessor_id == job.pk
    StoppingItself.end_schedule()
    assert not Job.objects.waiting().exists()


def test_check_canceled_does_nothing_without_a_request():
    job = Orderly.enqueue(immediate=True, seconds=0.1)
    assert job.status == 'completed'


class StoppingItself(Orderly):
    """Asks for its own end as another process would: by the row."""

    def run(self, how='orderly', **kwargs):
        assert Job.objects.get(pk=self.job.pk).stop() is True
        if how == 'raises':
            try:
                super().run(seconds=20)
            except JobCanceled:
                raise ValueError('no orderly end') from None
        super().run(seconds=20)


# retry


def test_a_job_that_has_ended_can_be_retried(work):
    thing = Thing.objects.create()
    old = Plain.enqueue(instance=thing, queue_name='low', notifications='never', job_timeout=77, word='x')
    work()
    old = Job.objects.get(pk=old.pk)
    new = old.retry()
    assert new.pk != old.pk
    assert new.retry_of_id == old.pk
    work()
    new = Job.objects.get(pk=new.pk)
    assert (new.status, new.data, new.object) == ('completed', {'word': 'x'}, thing)
    for name in ('name', 'runner', 'queue_name', 'notifications', 'job_timeout', 'object_id', 'arguments_shown'):
        assert getattr(new, name) == getattr(old, name)
    assert status(old) == 'completed'


def test_a_retry_of_an_occurrence_runs_once_and_begins_no_chain(work):
    job = Erring.enqueue_once(interval=60)
    work()
    again = Job.objects.get(pk=job.pk).retry()
    assert (again.schedule_id, again.interval, again.predecessor_id) == (None, None, None)
    work()
    assert Job.objects.waiting().count() == 1


def test_a_plain_function_and_a_runner_that_overrides_enqueue_can_be_retried(work):
    for job in (Job.enqueue(plain_function, word='w'), Overriding.enqueue()):
        work()
        again = Job.objects.get(pk=job.pk).retry()
        work()
        assert Job.objects.get(pk=again.pk).data == Job.objects.get(pk=job.pk).data


@pytest.mark.parametrize('state', ['pending', 'running'])
def test_only_a_job_that_has_ended_can_be_retried(state):
    job = Plain.enqueue()
    if state == 'running':
        job.start()
    with pytest.raises(ValueError, match='has ended'):
        job.retry()
    assert Job.objects.count() == 1


def test_what_cannot_be_enqueued_again_says_why(work):
    thing = Thing.objects.create()
    other = Thing.objects.create()
    job = Plain.enqueue(other=other)
    about = Plain.enqueue(instance=thing)
    gone = Plain.enqueue()
    work()
    Thing.objects.filter(pk=other.pk).delete()
    Thing.objects.filter(pk=thing.pk)._raw_delete('default')
    rename(gone, 'tests.app.jobs.Nowhere')
    number = Job.objects.count()
    for pk, error in ((job.pk, InstanceGone), (about.pk, InstanceGone), (gone.pk, RunnerNotFound)):
        with pytest.raises(error):
            Job.objects.get(pk=pk).retry()
    assert Job.objects.count() == number


def test_grace_is_checked_where_the_class_is_made():
    from django.core.exceptions import ImproperlyConfigured

    with pytest.raises(ImproperlyConfigured, match='stop_grace'):
        type('Bad', (JobRunner,), {'Meta': type('Meta', (), {'stop_grace': -1}), 'run': lambda self: None})


# The moments around the beginning of a run


def test_p7_a_stop_between_the_claim_and_the_run_is_heard():
    runs.expect_delivered_run()
    job = Orderly.enqueue()
    claimed = claim.claim(str(job.job_id), identity.process_token(), 'default')
    runs.stop_delivered_run()
    run = Execution(claimed)
    with run.attended(sole=True):
        assert run.stopping
    runs.expect_delivered_run()
    with Execution(claimed).attended(sole=True):
        assert not runs.current_run().stopping


@pytest.mark.parametrize('moment', ['mark_stopping', 'cancel'])
def test_p7_a_stop_in_the_very_moment_of_the_claim_is_heard(monkeypatch, moment):
    job = Orderly.enqueue()
    ask, claims = getattr(stop, moment), []

    def interleaved(given):
        if moment == 'mark_stopping':
            asked = ask(given)  # it waits still
        if not claims:
            claims.append(claim.claim(str(job.job_id), 'w' * 32, 'default'))
        return asked if moment == 'mark_stopping' else ask(given)

    monkeypatch.setattr(stop, moment, interleaved)
    assert Job.objects.get(pk=job.pk).stop() is True
    assert Job.objects.get(pk=job.pk).stopping is not None
    assert claims[0] is not None


def test_a_horse_tells_when_the_time_limit_of_its_job_is_over(monkeypatch):
    monkeypatch.setattr(time_limit, 'span', Span())
    with Deadline(150, watched=True):
        assert time.monotonic() + 90 < time_limit.span.read() <= time.monotonic() + 150
    assert -time.monotonic() <= time_limit.span.read() < 0


def test_canceling_by_an_object_that_was_loaded_before_keeps_what_the_job_has_stored():
    job = Plain.enqueue(max_retries=3, retry_backoff=100)
    Job.objects.filter(pk=job.pk).update(data={'progress': 1})
    assert job.cancel()
    job.refresh_from_db()
    assert (job.status, job.data) == ('canceled', {'progress': 1})


@pytest.mark.parametrize('immediate', [False, True])
def test_a_job_that_is_ended_as_it_starts_does_not_run(work, immediate):
    def veto(sender, **kwargs):
        sender.terminate('canceled', 'vetoed')

    job_start.connect(veto)
    try:
        job = Plain.enqueue(immediate=immediate)
        work()
    finally:
        job_start.disconnect(veto)
    job.refresh_from_db()
    assert (job.status, job.error, job.attempt) == ('canceled', 'vetoed', 1)
    assert not Trace.objects.exists()

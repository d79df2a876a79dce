"""`job_start` and `job_end`: once each, after the commit, and harmless when they raise. Decision 4."""

import pytest
from django.db import transaction

from netbox_jobs.broker import delivery
from netbox_jobs.maintenance import orphans
from netbox_jobs.models import Job
from netbox_jobs.signals import job_end, job_start
from tests.app.jobs import Erring, Failing, Overriding, Plain
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def test_signals_go_out_once_after_the_commit_with_the_job_as_sender():
    seen = []

    def started(sender, **kwargs):
        seen.append(('start', sender.pk, transaction.get_connection().in_atomic_block))

    def ended(sender, **kwargs):
        seen.append(('end', sender.pk, sender.status))

    job_start.connect(started)
    job_end.connect(ended)
    try:
        with transaction.atomic():
            job = Plain.enqueue(immediate=True)
            assert seen == []
        assert seen == [('start', job.pk, False), ('end', job.pk, 'completed')]
        crashed = Plain.enqueue()
        crashed.start()
        del seen[:]
        orphans.end_orphan(Job.objects.get(pk=crashed.pk), 'gone')
        assert seen == [('end', crashed.pk, 'errored')]
    finally:
        job_start.disconnect(started)
        job_end.disconnect(ended)


def test_a_job_that_is_run_and_deleted_in_one_transaction_sends_nothing(seen):
    done = []
    with transaction.atomic():
        Plain.enqueue(immediate=True).delete()
        transaction.on_commit(lambda: done.append(True))
    assert done == [True]
    assert seen == []
    assert not Job.objects.exists()


def test_a_raising_receiver_is_logged_and_changes_no_status(caplog, work):
    def receiver(sender, **kwargs):
        raise RuntimeError('receiver')

    job_end.connect(receiver)
    try:
        job = Plain.enqueue()
        work()
    finally:
        job_end.disconnect(receiver)
    assert status(job) == 'completed'
    assert 'the job_end receiver' in caplog.text


@pytest.fixture
def seen():
    """What the two signals have told, in order."""
    told = []

    def started(sender, **kwargs):
        told.append(('start', sender.pk, sender.status))

    def ended(sender, **kwargs):
        told.append(('end', sender.pk, sender.status))

    job_start.connect(started)
    job_end.connect(ended)
    yield told
    job_start.disconnect(started)
    job_end.disconnect(ended)


@pytest.mark.parametrize(('runner', 'ending'), [(Plain, 'completed'), (Failing, 'failed'), (Erring, 'errored')])
@pytest.mark.parametrize('immediate', [False, True])
def test_each_signal_is_sent_once_for_a_run(work, seen, runner, ending, immediate):
    job = runner.enqueue(immediate=immediate)
    work()
    assert seen == [('start', job.pk, 'running'), ('end', job.pk, ending)]


def test_each_signal_is_sent_once_for_a_plugin_that_does_it_all_itself(work, seen):
    job = Overriding.enqueue(interval=10)
    work()
    assert seen == [('start', job.pk, 'running'), ('end', job.pk, 'completed')]


def test_a_second_delivery_and_a_second_end_are_not_announced(work, seen):
    job = Plain.enqueue()
    delivery.queue('default').enqueue_call(delivery.ENTRY, args=(str(job.job_id),), job_id='again')
    work()
    Job.objects.get(pk=job.pk).terminate('failed')
    assert len(seen) == 2


def test_a_start_that_is_rolled_back_is_not_announced(seen):
    job = Plain.enqueue()
    with transaction.atomic():
        job.start()
        transaction.set_rollback(True)
    assert seen == []


def test_a_canceled_job_has_an_end_and_no_start(seen):
    job = Plain.enqueue()
    job.terminate('canceled')
    assert seen == [('end', job.pk, 'canceled')]


def test_a_raising_start_receiver_changes_nothing(caplog, work):
    def receiver(sender, **kwargs):
        raise RuntimeError('receiver')

    job_start.connect(receiver)
    try:
        job = Plain.enqueue()
        work()
    finally:
        job_start.disconnect(receiver)
    assert (status(job), job.error) == ('completed', '')
    assert 'the job_start receiver' in caplog.text


def test_a_receiver_may_enqueue_what_follows(work):
    def follow(sender, **kwargs):
        if sender.runner.endswith('.Failing'):
            Plain.enqueue(cause=sender.error)

    job_end.connect(follow)
    try:
        Failing.enqueue(message='no luck')
        work()
    finally:
        job_end.disconnect(follow)
    assert Plain.get_jobs().get().data == {'cause': 'no luck'}

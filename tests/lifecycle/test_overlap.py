"""Two occurrences of one schedule never run side by side, also where one is given back meanwhile."""

import pytest

from netbox_jobs.lifecycle import claim, requeue
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job
from netbox_jobs.monitoring import waiting
from tests.app.jobs import Plain
from tests.app.models import Thing
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize('ends', ['completed', 'errored', 'canceled'])
@pytest.mark.parametrize('again', [False, True])
def test_an_occurrence_that_is_given_back_and_the_one_after_it_do_not_overlap(ends, again, work):
    thing = Thing.objects.create()
    first = Plain.enqueue_once(instance=thing, interval=5)
    running = claim.claim(str(first.job_id), 'one', 'default')
    skipped = Plain.enqueue_once(instance=thing, interval=6)
    skipped.cancel()
    following = Job.objects.waiting().get()
    assert following.predecessor_id == skipped.pk
    Job.objects.filter(pk=following.pk).update(due=1)
    requeue.requeue(running, 0, after='x' if again else None)
    Job.objects.filter(pk=first.pk).update(due=1)
    assert recovery.deliver_due() == 1
    assert (status(first), status(following)) == ('pending', 'pending')
    following.refresh_from_db()
    assert following.due is None
    held = claim.claim(str(first.job_id), 'two', 'default')
    assert claim.claim(str(following.job_id), 'three', 'default') is None
    held.terminate(ends)
    recovery.settle_dependents()
    recovery.deliver_due()
    following.refresh_from_db()
    assert following.due is not None
    Job.objects.filter(pk=following.pk, status='scheduled').update(due=1)
    recovery.deliver_due()
    work()
    assert status(following) == 'completed'
    assert Job.objects.waiting().count() == 1


def test_an_occurrence_whose_predecessor_was_canceled_waits_for_the_one_that_is_to_run_again(work):
    """Found by the model: the arranged occurrence is canceled when the one before it is requeued already."""
    first = Plain.enqueue_once(interval=5)
    running = claim.claim(str(first.job_id), 'one', 'default')
    arranged = Plain.enqueue_once(interval=6)
    requeue.requeue(running, 0, after='x')
    arranged.cancel()
    following = Job.objects.get(predecessor=arranged)
    Job.objects.filter(status='scheduled').update(due=1)
    assert recovery.deliver_due() == 1
    assert (status(first), status(following)) == ('pending', 'scheduled')
    following.refresh_from_db()
    assert waiting.reason(following).jobs == (first.pk,)
    held = claim.claim(str(first.job_id), 'two', 'default')
    assert recovery.deliver_due() == 0
    held.terminate()
    assert recovery.deliver_due() == 1
    work()
    assert status(following) == 'completed'

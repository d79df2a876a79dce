"""The deletion of objects that have many jobs."""

import pytest
from django.db import connection, transaction
from django.db.models import ProtectedError
from django.db.models.signals import post_delete, pre_delete
from django.test.utils import CaptureQueriesContext

from netbox_jobs.broker import delivery
from netbox_jobs.lifecycle import claim
from netbox_jobs.models import Job, JobAttempt, JobLogEntry, Progress, Schedule
from tests.app.jobs import Plain
from tests.app.models import ChildThing, ProxyChildThing, ProxyThing, Report, Thing
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def with_jobs(thing, number):
    jobs = Plain.enqueue_many([{'instance': thing}] * number)
    Job.objects.filter(object_id=str(thing.pk)).update(status='completed', due=None)
    JobLogEntry.objects.bulk_create(JobLogEntry(job_id=job.pk, level='info', message='x') for job in jobs)
    JobAttempt.objects.create(job_id=jobs[0].pk, number=1, error='x')
    Progress.objects.create(job_id=jobs[0].pk, current=1)
    return jobs


def statements(number):
    thing = Thing.objects.create()
    with_jobs(thing, number)
    with CaptureQueriesContext(connection) as queries:
        thing.delete()
    return len(queries)


def test_the_statements_do_not_grow_with_each_job_of_a_deleted_object():
    kept = Thing.objects.create()
    with_jobs(kept, 3)
    few, many = statements(10), statements(210)
    assert many - few <= 6, 'a DELETE for a hundred jobs, and what belongs to 500'
    assert Job.objects.count() == JobLogEntry.objects.count() == 3
    assert JobAttempt.objects.count() == Progress.objects.count() == 1


def test_p7_waiting_and_running_jobs_among_many_are_withdrawn_and_their_chains_end():
    thing, other = Thing.objects.create(), Thing.objects.create()
    with_jobs(thing, 5)
    waiting, periodic = Plain.enqueue(instance=thing), Plain.enqueue_once(instance=thing, interval=5)
    running = claim.claim(str(Plain.enqueue(instance=thing).job_id), 'worker', 'default')
    after = [Plain.enqueue(depends_on=job, instance=other) for job in (waiting, running)]
    thing.delete()
    ids = delivery.queue('default').job_ids
    assert not {str(waiting.job_id), str(periodic.job_id)} & set(ids)
    assert {status(job) for job in after} == {'errored'}
    assert Job.objects.count() == 2
    assert not Schedule.objects.filter(pk=periodic.schedule_id).exists()
    running.terminate()
    assert Job.objects.count() == 2


def test_such_a_deletion_that_is_rolled_back_or_protected_leaves_everything():
    thing = Thing.objects.create()
    jobs = with_jobs(thing, 3)
    with transaction.atomic():
        Thing.objects.get(pk=thing.pk).delete()
        transaction.set_rollback(True)
    proof = Report.objects.create(proof=jobs[0])
    with pytest.raises(ProtectedError):
        Thing.objects.get(pk=thing.pk).delete()
    assert (Job.objects.count(), JobLogEntry.objects.count(), JobAttempt.objects.count()) == (3, 3, 1)
    proof.delete()
    assert Thing.objects.filter(pk=thing.pk).delete()[1]['netbox_jobs.Job'] == 3
    assert not JobLogEntry.objects.exists()


@pytest.mark.parametrize('kind', ['proxy', 'child', 'proxy of a child'])
@pytest.mark.parametrize('deleted', ['itself', 'parent', 'query'])
def test_jobs_go_with_an_object_through_whichever_of_its_models_they_were_enqueued_and_it_is_deleted(kind, deleted):
    model = {'proxy': ProxyThing}.get(kind, ChildThing)
    model.objects.create(name='another')
    made = model.objects.create()
    forms = [made, Thing.objects.get(pk=made.pk), ProxyThing.objects.get(pk=made.pk)]
    if kind == 'proxy of a child':
        forms.append(ProxyChildThing.objects.get(pk=made.pk))
    others = with_jobs(Thing.objects.get(name='another'), 1)
    for form in forms:
        Plain.enqueue_once(instance=form, interval=5)
        with_jobs(form, 2)
    if deleted == 'query':
        Thing.objects.filter(pk=made.pk).delete()
    else:
        {'itself': forms[-1], 'parent': forms[1]}[deleted].delete()
    assert list(Job.objects.all()) == others
    assert not Schedule.objects.exists()
    assert set(JobLogEntry.objects.values_list('job_id', flat=True)) <= {job.pk for job in others}


def test_the_jobs_of_a_parent_object_stay_if_it_is_kept():
    child = ChildThing.objects.create()
    parent = Thing.objects.get(pk=child.pk)
    kept, gone = with_jobs(parent, 1), with_jobs(child, 1)
    child.delete(keep_parents=True)
    assert list(Job.objects.all()) == kept and gone


def test_each_job_still_sends_the_signals_of_a_deletion_with_all_that_it_was():
    seen = []

    def note(instance, **kwargs):
        seen.append((instance.pk, instance.get_arguments()))

    thing = Thing.objects.create()
    jobs = Plain.enqueue_many([{'instance': thing, 'n': n} for n in range(3)])
    pre_delete.connect(note, sender=Job)
    post_delete.connect(note, sender=Job)
    try:
        thing.delete()
    finally:
        pre_delete.disconnect(note, sender=Job)
        post_delete.disconnect(note, sender=Job)
    assert sorted({(pk, given['n']) for pk, given in seen}) == [(job.pk, n) for n, job in enumerate(jobs)]

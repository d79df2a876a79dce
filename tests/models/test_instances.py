"""Jobs about objects with any primary key, on every database."""

import uuid

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db.models import Count, Exists, OuterRef, Prefetch, Q, Subquery

from netbox_jobs.models import Job
from tests.app.jobs import Failing, Plain
from tests.app.models import TextThing, Thing, UUIDThing

pytestmark = pytest.mark.django_db(transaction=True)

KINDS = [
    pytest.param(lambda: Thing.objects.create(), id='integer'),
    pytest.param(lambda: UUIDThing.objects.create(), id='UUID'),
    pytest.param(lambda: TextThing.objects.create(code=f'ab c-{uuid.uuid4()}'), id='text'),
]


@pytest.fixture(params=KINDS)
def pair(request):
    """Two objects of a kind, the first with two jobs and the second with none; and jobs about others of all kinds."""
    for kind in KINDS:
        Plain.enqueue(instance=kind.values[0]())
    one, other = request.param(), request.param()
    Plain.enqueue(instance=one)
    Plain.enqueue(instance=one, immediate=True)
    return one, other


def test_the_object_of_a_job(pair):
    job = Plain.get_jobs(pair[0]).first()
    assert Job.objects.get(pk=job.pk).object == pair[0]
    assert job.object_id == str(pair[0].pk)


def test_the_jobs_of_an_object(pair):
    one, other = pair
    assert one.jobs.count() == 2
    assert not other.jobs.exists()
    assert [job.name for job in one.get_latest_jobs()] == ['Plain']


def test_filter_across_the_relation(pair):
    one, other = pair
    model = type(one)
    assert list(model.objects.filter(jobs__status='completed')) == [one]
    assert other in model.objects.filter(jobs__isnull=True)
    assert one not in model.objects.filter(jobs__isnull=True)


def test_exclude_across_the_relation(pair):
    one, other = pair
    found = type(one).objects.exclude(jobs__status='completed')
    assert one not in found
    assert other in found


def test_annotate_and_values_across_the_relation(pair):
    one, other = pair
    counts = dict(type(one).objects.annotate(n=Count('jobs')).values_list('pk', 'n'))
    assert (counts[one.pk], counts[other.pk]) == (2, 0)
    assert set(type(one).objects.filter(pk=one.pk).values_list('jobs__status', flat=True)) == {'pending', 'completed'}


def test_prefetch_in_both_directions(pair, django_assert_num_queries):
    one, other = pair
    with django_assert_num_queries(2):
        found = {thing.pk: len(thing.jobs.all()) for thing in type(one).objects.prefetch_related('jobs')}
    assert (found[one.pk], found[other.pk]) == (2, 0)
    jobs = Plain.get_jobs(one).prefetch_related('object')
    assert {job.object for job in jobs} == {one}


def test_filter_jobs_by_object_id(pair):
    one, other = pair
    assert Job.objects.filter(object_id=one.pk).count() == 2
    assert Job.objects.filter(object_id__in=[one.pk, other.pk]).count() == 2


def test_deleting_the_object_takes_its_jobs_along(pair):
    one, _ = pair
    before = Job.objects.count()
    one.delete()
    assert Job.objects.count() == before - 2


def test_texts_that_differ_in_case_are_different_objects():
    lower, upper = TextThing(code='key'), TextThing(code='KEY')
    lower.save(force_insert=True)
    Plain.enqueue(instance=lower)
    upper._state.adding = False
    assert Plain.get_jobs(lower).count() == 1
    assert Plain.get_jobs(upper).count() == 0


def test_get_jobs_has_rows_of_no_runner_by_their_name():
    thing = Thing.objects.create()
    made = Job.objects.create(name='Plain', object=thing, status='running')
    others = Failing.enqueue(name='Plain'), Job.objects.create(name='Failing')
    assert list(Plain.get_jobs(thing)) == list(Plain.get_jobs()) == [made]
    assert set(Failing.get_jobs()) == set(others)


def test_get_jobs_without_an_instance_lists_all():
    Plain.enqueue()
    Plain.enqueue(instance=Thing.objects.create())
    assert Plain.get_jobs().count() == 2
    assert Plain.get_jobs(Thing()).count() == 0


def test_exists_and_subqueries(pair):
    one, other = pair
    model, about = type(one), Job.objects.filter(object_id=OuterRef('pk'))
    assert list(model.objects.filter(Exists(about.filter(status='completed')))) == [one]
    assert other in model.objects.filter(~Exists(about))
    status = Subquery(about.filter(status='completed').values('status')[:1])
    assert list(model.objects.annotate(latest=status).filter(latest='completed')) == [one]


def test_filter_jobs_by_a_query_of_objects(pair):
    one, other = pair
    model = type(one)
    content_type = ContentType.objects.get_for_model(model)
    jobs = Job.objects.filter(object_type=content_type)
    assert jobs.filter(object_id__in=model.objects.filter(pk=one.pk).values('pk')).count() == 2
    assert jobs.filter(object_id__in=model.objects.filter(pk=one.pk).values_list('pk', flat=True)).count() == 2
    assert jobs.filter(object_id__in=model.objects.filter(pk=one.pk)).count() == 2
    assert jobs.filter(object_id__in=model.objects.filter(pk=other.pk)).count() == 0
    assert jobs.exclude(object_id__in=model.objects.filter(pk=one.pk)).count() == jobs.count() - 2


def test_filter_by_jobs_and_by_queries_of_jobs(pair):
    one, _ = pair
    model = type(one)
    job = one.jobs.get(status='completed')
    assert list(model.objects.filter(jobs__pk=job.pk)) == [one]
    assert list(model.objects.filter(jobs=job)) == [one]
    assert list(model.objects.filter(jobs__in=[job])) == [one]
    assert list(model.objects.filter(jobs__in=Job.objects.filter(status='completed'))) == [one]
    assert list(model.objects.filter(Q(jobs__status='completed') | Q(pk=one.pk)).distinct()) == [one]
    assert model.objects.filter(jobs__status='completed').order_by('-jobs__created').first() == one


def test_prefetch_of_some_jobs(pair):
    one, _ = pair
    found = type(one).objects.prefetch_related(Prefetch('jobs', Job.objects.filter(status='completed'), 'done'))
    assert [len(thing.done) for thing in found if thing == one] == [1]


def test_jobs_made_through_the_relation(pair):
    one, other = pair
    made = other.jobs.create(name='by hand')
    assert Job.objects.get(pk=made.pk).object == other
    assert other.jobs.count() == 1
    other.jobs.all().delete()
    assert (other.jobs.count(), one.jobs.count()) == (0, 2)


def test_deleting_many_objects_takes_their_jobs_along(pair):
    one, other = pair
    Plain.enqueue(instance=other)
    model = type(one)
    before = Job.objects.count()
    model.objects.filter(pk__in=[one.pk, other.pk]).delete()
    assert Job.objects.count() == before - 3


def test_the_object_of_a_job_that_is_gone_is_none(pair):
    one, _ = pair
    type(one).objects.filter(pk=one.pk)._raw_delete('default')
    job = Job.objects.filter(object_id=one.pk).first()
    assert job.object is None
    assert job.object_id == str(one.pk)


def test_get_latest_jobs_are_the_ended_ones_the_latest_first():
    thing = Thing.objects.create()
    first = Plain.enqueue(instance=thing, immediate=True)
    failed = Failing.enqueue(instance=thing, immediate=True)
    last = Plain.enqueue(instance=thing, immediate=True)
    Plain.enqueue(instance=thing)
    assert list(thing.get_latest_jobs()) == [last, failed, first]
    assert thing.get_latest_jobs().first() == last
    assert 'data' in thing.get_latest_jobs()[0].get_deferred_fields()


def test_objects_of_two_models_with_one_key_have_jobs_of_their_own():
    thing = Thing.objects.create()
    text = TextThing.objects.create(code=str(thing.pk))
    Plain.enqueue(instance=thing)
    assert (thing.jobs.count(), text.jobs.count()) == (1, 0)
    assert Plain.get_jobs(text).count() == 0

"""An object has one identity however the code came by it: by its row, not by how its primary key was written."""

import uuid

import pytest
from django.utils.functional import SimpleLazyObject

from netbox_jobs.core import arguments
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Plain
from tests.app.models import ChildThing, Thing, UUIDThing
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)

KEY = uuid.UUID('12345678-90ab-4def-9234-567890abcdef')
#: A model, its key as the row has it, and others that mean the same row.
KEYS = [
    *((UUIDThing, KEY, other) for other in (str(KEY), str(KEY).upper(), KEY.hex, f'{{{KEY}}}')),
    *((Thing, 7, other) for other in ('7', '007', ' 7', 7.0)),
    (ChildThing, 7, '07'),
]


@pytest.mark.parametrize(('model', 'key', 'other'), KEYS, ids=str)
def test_an_object_that_was_made_with_a_key_in_other_words_has_the_jobs_of_its_row(model, key, other, work):
    made = model(pk=other)
    made.save(force_insert=True)
    found = model.objects.get(pk=key)
    job = Plain.enqueue_once(instance=made, interval=60)
    assert Plain.enqueue_once(instance=found) == job
    assert Schedule.objects.get().object_id == str(key)
    assert list(made.jobs.all()) == list(found.jobs.all()) == [job]
    assert list(Plain.get_jobs(made)) == [job]
    assert Job.objects.get().object == found
    work()
    assert status(job) == 'completed'
    made.delete()
    assert not Job.objects.exists() and not Schedule.objects.exists()


@pytest.mark.parametrize(('model', 'key', 'other'), KEYS[1::4], ids=str)
def test_a_job_of_an_object_that_is_saved_later_is_bound_to_its_row(model, key, other):
    made = model(pk=other)
    job = Plain.enqueue_once(instance=made)
    made.save(force_insert=True)
    job.refresh_from_db()
    assert (job.object_id, job.object) == (str(key), model.objects.get(pk=key))


@pytest.mark.parametrize(('model', 'key', 'other'), KEYS[::2], ids=str)
@pytest.mark.parametrize('stored', ['pickle', 'json'])
def test_as_an_argument_it_is_the_same_as_its_row(model, key, other, stored, settings):
    settings.NETBOX_JOBS = {'ARGUMENTS_FORMAT': stored}
    made = model(pk=other)
    made.save(force_insert=True)
    found = model.objects.get(pk=key)
    if isinstance(other, str):
        assert arguments.identity({'thing': made}) == arguments.identity({'thing': found})
    assert Plain.enqueue(thing=made).get_arguments() == {'thing': found}


def test_an_object_of_another_model_is_no_user(django_user_model):
    user = django_user_model.objects.create(username='x')
    thing = Thing.objects.create(pk=user.pk)
    with pytest.raises(ValueError, match='expected a saved'):
        Plain.enqueue(user=thing)
    assert Plain.enqueue(user=SimpleLazyObject(lambda: user)).user == user  # as `request.user` is
    assert Plain.enqueue_once(instance=SimpleLazyObject(lambda: thing)) == Plain.enqueue_once(instance=thing)

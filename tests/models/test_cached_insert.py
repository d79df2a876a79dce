"""The INSERT with cached SQL writes what `save()` writes, and tells the same signals."""

import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.signals import post_save, pre_save
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from netbox_jobs.models import Job, cached_insert
from tests.app.jobs import Plain

pytestmark = pytest.mark.django_db(transaction=True)

#: One of each kind of value that a new row may have.
VALUES = [
    {},
    {'object_id': '7', 'object_db': 'other', 'tenant': "it's 100 % ours"},
    {'scheduled': timezone.now(), 'due': None, 'interval': 5, 'status': 'scheduled', 'job_timeout': -1},
    {'options': {'ttl': 3}, 'retry_policy': {'max': 1}, 'context': {'a': {}}, 'data': {'x': [1, None]}},
    {'data': {}, 'data_is': 'a default of other fields'},
    {'arguments': b'\x00\xff%s', 'arguments_format': 'pickle', 'arguments_shown': 'größe=%(x)s', 'deliveries': 1},
    {'execution_time': timedelta(seconds=1.5), 'awaited': True, 'worker': 'w', 'slot': 9, 'backend_id': 2**40},
]


@pytest.mark.parametrize('values', VALUES)
@pytest.mark.parametrize('again', [False, True])
def test_a_row_is_what_save_would_have_made_of_it(values, again):
    values = {name: value for name, value in values.items() if name != 'data_is'}
    if again:  # by the SQL that the first one has left
        first = Job(**{**values, 'slot': None})
        cached_insert.insert(first, 'default')
    job, saved = Job(**values), Job(**{**values, 'slot': None})
    cached_insert.insert(job, 'default')
    saved.created = job.created
    saved.save()
    assert job.pk and job._state.db == 'default' and not job._state.adding
    ours, theirs = (Job.objects.filter(pk=pk).values().get() for pk in (job.pk, saved.pk))
    for row in (ours, theirs):
        row.pop('id'), row.pop('job_id'), row.pop('slot')
    assert ours == theirs
    job.data = {'saved': 'again'}
    job.save()
    assert Job.objects.get(pk=job.pk).data == {'saved': 'again'}


def test_the_second_insert_of_a_kind_compiles_no_sql(monkeypatch):
    Plain.enqueue(word='x')
    monkeypatch.setattr(cached_insert, '_compiler', None)
    with CaptureQueriesContext(connection) as captured:
        job = Plain.enqueue(word='y')
    assert len(captured) == 1 and Job.objects.get(pk=job.pk).get_arguments() == {'word': 'y'}


def test_pre_save_may_change_the_row_and_post_save_learns_that_it_was_created():
    told = []

    def change(sender, instance, **kwargs):
        instance.name, instance.data = 'changed', {'by': 'receiver'}
        told.append(kwargs)

    def note(sender, instance, **kwargs):
        told.append({**kwargs, 'pk': instance.pk, 'adding': instance._state.adding})

    pre_save.connect(change, sender=Job)
    post_save.connect(note, sender=Job)
    try:
        enqueued = Plain.enqueue()
        ours, told[:] = told[:], []
        saved = Job()
        saved.save()
    finally:
        pre_save.disconnect(change, sender=Job)
        post_save.disconnect(note, sender=Job)
    assert [values.pop('pk') for values in (ours[1], told[1])] == [enqueued.pk, saved.pk]
    assert ours == told
    row = Job.objects.get(pk=enqueued.pk)
    assert (row.name, row.data) == ('changed', {'by': 'receiver'})


@pytest.mark.parametrize('field', ['name', 'options'])
def test_none_in_a_column_that_takes_none_is_refused_as_by_save(field):
    with pytest.raises(IntegrityError):
        cached_insert.insert(Job(**{field: None}), 'default')


def test_a_row_that_the_database_refuses_breaks_the_transaction_as_with_save():
    job_id = uuid.uuid4()
    cached_insert.insert(Job(job_id=job_id), 'default')
    with transaction.atomic():
        with pytest.raises(IntegrityError):
            cached_insert.insert(Job(job_id=job_id), 'default')
        assert transaction.get_connection().needs_rollback
        transaction.set_rollback(True)


if connection.vendor != 'postgresql':  # which always returns rows

    def test_a_database_that_returns_no_rows_from_an_insert_is_asked_for_the_key(monkeypatch):
        monkeypatch.setattr(cached_insert, '_made', {})
        monkeypatch.setattr(connection.features, 'can_return_columns_from_insert', False)
        job = Plain.enqueue(word='x')
        assert Job.objects.get(pk=job.pk).get_arguments() == {'word': 'x'}

"""The indexes of jobs: a job is in those alone that it may be found by, and each serves its queries."""

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from netbox_jobs.models import Job, Schedule
from netbox_jobs.models.indexes import PartialIndex

pytestmark = pytest.mark.django_db

PARTIAL = {index.name: index for index in Job._meta.indexes if isinstance(index, PartialIndex)}
#: A query that each of them serves, by no more than what it looks for.
QUERIES = {
    'netbox_jobs_job_error': lambda: Job.objects.filter(fingerprint='abc', completed__lt=timezone.now()),
    'netbox_jobs_job_schedule': lambda: Job.objects.filter(schedule_id=4),
    'netbox_jobs_job_object': lambda: Job.objects.filter(
        object_type=ContentType.objects.get_for_model(User), object_id='4'
    ),
    'netbox_jobs_job_retry_of': lambda: Job.objects.filter(retry_of_id=4),
    'netbox_jobs_job_user': lambda: Job.objects.filter(user_id__in=[4, 5, 6]),
}


def plan(queryset):
    if connection.vendor == 'postgresql':  # whatever it costs in an empty table
        with connection.cursor() as cursor:
            cursor.execute('SET LOCAL enable_seqscan = off')
    return queryset.order_by().explain()


def test_each_partial_index_has_a_query_here():
    assert PARTIAL.keys() == QUERIES.keys()


@pytest.mark.parametrize('name', QUERIES)
def test_a_query_that_says_no_more_than_what_it_looks_for_is_served_by_its_index(name):
    assert name in plan(QUERIES[name]())


def test_a_join_to_the_jobs_of_schedules_is_served():
    schedule = Schedule.objects.create(key='x', runner='x', name='x', queue_name='default')
    assert 'netbox_jobs_job_schedule' in plan(
        Schedule.objects.filter(pk=schedule.pk, jobs__created__gte=timezone.now())
    )


def test_postgresql_leaves_out_the_rows_that_have_nothing_to_be_found_by():
    """A job without an object, a user, a schedule or an error is in half as many indexes there."""
    editor = connection.SchemaEditorClass(connection, collect_sql=True)
    for name, index in PARTIAL.items():
        sql = str(index.create_sql(Job, editor))
        assert name in sql
        assert ('WHERE' in sql) is (connection.vendor == 'postgresql'), sql


def test_an_index_says_in_migrations_which_rows_it_has():
    index = PartialIndex(fields=['user'], name='some', where=Q(user__isnull=False))
    path, args, kwargs = index.deconstruct()
    assert (path, args) == ('netbox_jobs.models.indexes.PartialIndex', ())
    assert kwargs == {'fields': ['user'], 'name': 'some', 'where': Q(user__isnull=False)}
    assert index.clone() == index

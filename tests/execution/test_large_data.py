"""`job.data` that is larger than the server takes ends the job as errored, at once, and says so."""

import time

import pytest
from django.db import connection

from netbox_jobs.core import statement_size
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


class Hoarding(JobRunner):
    def run(self, size, save=False, text='x'):
        self.job.data = {'large': text * size}
        if save:
            self.job.save()


def largest():
    with connection.cursor() as cursor:
        cursor.execute('SELECT @@max_allowed_packet')
        return cursor.fetchone()[0]


@pytest.mark.parametrize('text', ['x', '"', '\u20ac', '\U0001f600'])
@pytest.mark.parametrize('save', [False, True])
@pytest.mark.parametrize('periodic', [False, True])
def test_data_that_the_server_does_not_take_ends_the_job_as_errored_and_names_the_size(work, text, save, periodic):
    if connection.vendor == 'mysql':
        size = largest() // len(text.encode()) + 10
    else:
        statement_size._known['default'] = None
        size = 1_000_000
    job = Hoarding.enqueue(size=size, save=save, text=text, **({'interval': 5} if periodic else {}))
    begun = time.monotonic()
    work()
    assert time.monotonic() - begun < 30
    if connection.vendor == 'mysql':
        assert status(job) == 'errored'
        assert 'job.data takes' in job.error or 'data takes' in job.error
        assert 'max_allowed_packet' in job.error
        assert job.data is None
    else:
        assert status(job) == 'completed'
    assert Job.objects.waiting().count() == periodic


def test_data_just_below_the_limit_is_stored(work):
    size = largest() - 2 * statement_size._REST if connection.vendor == 'mysql' else 1_000_000
    job = Hoarding.enqueue(size=size)
    work()
    assert status(job) == 'completed'
    assert len(job.data['large']) == size

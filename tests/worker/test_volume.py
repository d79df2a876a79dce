"""10,000 jobs through two workers: every one completed, each run exactly once.

The workers are of both kinds, and take the jobs from each other. A child process for each job costs ten times as much
as a persistent one, so two forking workers alone share a twentieth; `TEST_VOLUME_FORKING` says otherwise.
"""

import os

import pytest
from django.db import connection
from django.db.models import Count

from tests.app.jobs import Plain
from tests.app.models import Trace
from tests.processes import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]

# All of them on PostgreSQL, where the promise is made; fewer where it is the same code on a slower path.
NUMBER = int(os.environ.get('TEST_VOLUME', '10000')) if connection.vendor == 'postgresql' else 100
FORKING = int(os.environ.get('TEST_VOLUME_FORKING', '0')) or max(NUMBER // 20, 100)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ('number', 'options'), [(NUMBER, ('--fast',)), (FORKING, ())], ids=['both kinds', 'forking workers']
)
def test_every_job_is_completed_and_each_run_exactly_once(start_worker, number, options):
    workers = [start_worker('default'), start_worker('default', *options)]
    for _ in range(number):
        Plain.enqueue()
    wait_for(lambda: not Plain.get_jobs().exclude(status='completed').exists(), 800, f'{number} jobs')
    assert Plain.get_jobs().count() == number
    runs = Trace.objects.filter(what='start').values('job_pk').annotate(n=Count('pk'))
    counts = {row['job_pk']: row['n'] for row in runs}
    assert len([pk for pk in Plain.get_jobs().values_list('pk', flat=True) if counts.get(pk) != 1]) == 0
    assert Trace.objects.filter(what='end', job_pk__in=Plain.get_jobs().values('pk')).count() == number
    assert all(worker.process.poll() is None for worker in workers)
    assert not Plain.get_jobs().running().exists()

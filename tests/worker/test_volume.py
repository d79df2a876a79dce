"""2,000 jobs through two workers: every one completed, each run exactly once.

A child process for each job costs ten times as much as a persistent one. So two workers with persistent ones share
2,000, and 100 go through workers of both kinds, which take the jobs from each other, and through two forking ones.
`TEST_VOLUME=10000` is for a release; a twentieth of it forks.
"""

import os

import pytest
from django.db import connection
from django.db.models import Count

from tests.app.jobs import Plain
from tests.app.models import Trace
from tests.processes import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]

# Fewer where it is the same code on a slower path.
NUMBER = int(os.environ.get('TEST_VOLUME', '2000')) if connection.vendor == 'postgresql' else 100
FORKING = max(NUMBER // 20, 100)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ('number', 'kinds'),
    [(NUMBER, ('--fast', '--fast')), (FORKING, ('--fast', '--verbosity=1')), (FORKING, ('--verbosity=1',) * 2)],
    ids=['persistent', 'both kinds', 'forking'],
)
def test_every_job_is_completed_and_each_run_exactly_once(start_worker, number, kinds):
    workers = [start_worker('default', kind) for kind in kinds]
    Plain.enqueue_many([{}] * number)
    wait_for(lambda: not Plain.get_jobs().exclude(status='completed').exists(), 800, f'{number} jobs')
    assert Plain.get_jobs().count() == number
    runs = Trace.objects.filter(what='start').values('job_pk').annotate(n=Count('pk'))
    counts = {row['job_pk']: row['n'] for row in runs}
    assert len([pk for pk in Plain.get_jobs().values_list('pk', flat=True) if counts.get(pk) != 1]) == 0
    assert Trace.objects.filter(what='end', job_pk__in=Plain.get_jobs().values('pk')).count() == number
    assert all(worker.process.poll() is None for worker in workers)
    assert not Plain.get_jobs().running().exists()

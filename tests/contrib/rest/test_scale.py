"""A page of jobs costs the same wherever it is in the list: by the plans of the database, not by time."""

import re

import pytest
from django.db import connection
from django.utils import timezone

from bench import rows
from bench.plans import explained
from netbox_jobs.models import Job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]

#: How many jobs have ended, and how many rows one statement for a page of ten may read.
ENDED, BOUND = 20_000, 100


@pytest.mark.parametrize('query', ['', 'status=completed', 'error=f', 'when={day}'])
def test_a_page_reads_no_more_rows_than_it_has_at_the_end_of_a_long_list_either(boss, query):
    rows.fill('default', ENDED)
    Job.objects.ended().update(fingerprint='f')
    with connection.cursor() as cursor:
        verb = 'ANALYZE' if connection.vendor == 'postgresql' else 'ANALYZE TABLE'
        cursor.execute(f'{verb} netbox_jobs_job')
    day = timezone.localtime(Job.objects.order_by('-created')[ENDED // 2].created)
    address = f'/api/jobs/?limit=10&{query.format(day=f"{day:%Y-%m-%d}")}'
    deep = address
    for _ in range(10):
        deep = boss.get(re.sub(r'limit=\d+', 'limit=1000', deep)).json()['next'] or address
    for page in (address, re.sub(r'limit=\d+', 'limit=10', deep)):
        with explained('default') as plans:
            assert len(boss.get(page).json()['results']) == 10
        read = [each for plan in plans for each in plan.readings if each.table == 'netbox_jobs_job']
        assert read and max(each.rows for each in read) <= BOUND, read
    rows.clear('default')

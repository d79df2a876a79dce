"""Pages by cursor."""

import pytest

from netbox_jobs.models import Job
from tests.app.jobs import Plain

pytestmark = pytest.mark.django_db


def follow(client, query):
    """The keys of all pages, by `next`; and how many pages there were."""
    address, found, pages = f'/api/jobs/?{query}', [], 0
    while address:
        page = client.get(address).json()
        found += [each['id'] for each in page['results']]
        address, pages = page['next'], pages + 1
    return found, pages


def fill(count, **values):
    return [job.pk for job in Job.objects.bulk_create(Job(name='x', **values) for _ in range(count))]


@pytest.mark.parametrize('query', ['', 'when=2020', 'when=24h', 'status=pending', 'error=f', 'q=x'])
def test_the_pages_have_every_job_once_also_if_many_have_one_time(boss, query):
    created = {'created': '2020-01-05T00:00Z'} if query == 'when=2020' else {}
    keys = fill(4, due=7, fingerprint='f', completed='2020-01-05T00:00Z', **created)
    keys += fill(4, due=9, fingerprint='f', completed='2020-01-06T00:00Z', **created)
    unset = fill(3, fingerprint='f', **created)  # which wait for other jobs, and have no time
    # All of one time of creation are in the order of their keys.
    expected = keys[::-1] + unset[::-1] if query in ('status=pending', 'error=f') else [*keys, *unset][::-1]
    expected = sorted(expected) if query == 'when=2020' else expected
    assert follow(boss, f'{query}&limit=3') == (expected, 4)
    assert follow(boss, f'{query}&limit=11') == (expected, 1)


def test_a_job_that_comes_meanwhile_moves_no_page(boss):
    keys = fill(4)
    first = boss.get('/api/jobs/?limit=2').json()
    Plain.enqueue()
    assert [each['id'] for each in boss.get(first['next']).json()['results']] == [keys[1], keys[0]]


def test_a_cursor_of_another_list_is_no_page(boss):
    fill(3, due=5)
    cursor = boss.get('/api/jobs/?limit=1').json()['next'].partition('cursor=')[2]
    assert boss.get(f'/api/jobs/?cursor={cursor}').status_code == 200
    assert boss.get(f'/api/jobs/?cursor={cursor}&status=pending').status_code == 404
    for wrong in ('x', '%00', 'W10', 'WyItcGsiLDEsInoiXQ'):
        assert boss.get(f'/api/jobs/?cursor={wrong}').status_code == 404
    for wrong in ('0', '1001', '-1', 'x', '1e3'):
        assert boss.get(f'/api/jobs/?limit={wrong}').status_code == 400

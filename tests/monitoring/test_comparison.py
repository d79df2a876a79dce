"""The arguments of a job that went wrong beside those of a run that completed."""

import pytest

from netbox_jobs.models import Job
from netbox_jobs.monitoring import comparison
from netbox_jobs.monitoring.comparison import Difference
from tests.app.jobs import Plain
from tests.app.models import Thing

pytestmark = pytest.mark.django_db(transaction=True)


def make(status, shown='', **values):
    return Job.objects.create(name='x', runner='a.B', status=status, arguments_shown=shown, **values)


def compared(job):
    return comparison.with_completed(Job.objects.get(pk=job.pk))


def test_the_arguments_that_differ_from_those_of_the_latest_completed_run_are_found():
    make('completed', 'pages=1')
    good = make('completed', 'pages=160\nfull=True\nold=1')
    Job.objects.create(name='x', runner='other.Runner', status='completed', arguments_shown='pages=5')
    make('failed', 'pages=7')
    found = compared(make('errored', 'pages=161\nfull=True\nmode=a=b'))
    assert found.job == good
    assert found.differences == [
        Difference('pages', '161', '160'),
        Difference('mode', 'a=b', None),
        Difference('old', None, '1'),
    ]
    assert compared(make('failed', 'pages=160\nfull=True\nold=1')).differences == []


def test_a_run_of_the_same_schedule_or_about_the_same_object_comes_first():
    thing = Thing.objects.create(name='a')
    about = {'object_type': Plain.enqueue(instance=thing).object_type, 'object_id': str(thing.pk)}
    schedule = Plain.enqueue_once(interval=60).schedule
    own = make('completed', 'n=1', schedule=schedule)
    of_object = make('completed', 'n=2', **about)
    latest = make('completed', 'n=3')
    assert compared(make('errored', schedule=schedule, **about)).job == own
    assert compared(make('errored', **about)).job == of_object
    assert compared(make('errored')).job == latest


@pytest.mark.parametrize('status', ['pending', 'running', 'completed', 'canceled'])
def test_only_a_job_that_went_wrong_is_compared(status):
    make('completed')
    assert compared(make(status)) is None


def test_few_rows_are_read(monkeypatch, django_assert_max_num_queries):
    make('completed')
    bad = [make('errored', 'x=1') for _ in range(3)]
    monkeypatch.setattr(comparison, 'LOOKED_THROUGH', 2)
    with django_assert_max_num_queries(1):
        assert comparison.with_completed(bad[-1]) is None
    monkeypatch.setattr(comparison, 'LOOKED_THROUGH', 200)
    monkeypatch.setattr(comparison, 'BEFORE', 1)
    assert comparison.with_completed(bad[-1]) is None


def test_the_page_of_a_job_shows_what_is_different(admin_client):
    good = make('completed', 'pages=160')
    bad = make('errored', 'pages=<b>161</b>')
    shown = admin_client.get(f'/admin/netbox_jobs/job/{bad.pk}/change/').content.decode()
    part = shown.split('id="nj-comparison-title"')[1].split('</section>')[0]
    assert f'/job/{good.pk}/change/' in part and '&lt;b&gt;161&lt;/b&gt;' in part and '<code>160</code>' in part
    same = make('errored', 'pages=160')
    assert 'are the same as those of' in admin_client.get(f'/admin/netbox_jobs/job/{same.pk}/change/').content.decode()

"""Jobs on a plugin's own pages: the statements that they cost."""

import re

import pytest
from django.contrib.auth import get_user_model

from netbox_jobs.models import Job, JobLogEntry, Progress
from tests.app.jobs import Failing, Plain
from tests.web.helpers import client_of, make_running, queries, render, url, url_of_objects, user

pytestmark = pytest.mark.django_db


def test_a_list_costs_the_same_however_many_jobs_there_are(thing):
    root = user('root', 'view_job', 'cancel_job', 'retry_job')
    client, address = client_of(root), url_of_objects(thing, limit=100)

    def fill(count):
        for number in range(count):
            viewer = user(f'user {count} {number}')
            make_running(Plain.enqueue(instance=thing, user=viewer))
            Failing.enqueue(instance=thing, user=viewer, immediate=True)
            Progress.objects.bulk_create([Progress(job=Job.objects.running().latest('pk'), current=1, total=2)])

    fill(1)
    few = queries(lambda: client.get(address))
    fill(20)
    many = queries(lambda: client.get(address))
    assert len(many) == len(few) <= 8, many
    assert client.get(address).content.count(b'data-live-key') == 43


@pytest.mark.parametrize(('kind', 'most'), [('status', 5), ('progress', 6), ('log', 6)])
def test_a_look_at_a_job_costs_few_statements_and_none_with_what_is_large(kind, most, thing):
    viewer = user('viewer', 'view_job', 'cancel_job', 'retry_job')
    job = make_running(Plain.enqueue(instance=thing, text='x' * 1000))
    JobLogEntry.objects.bulk_create([JobLogEntry(job=job, level='info', message=f'line {n}') for n in range(300)])
    client = client_of(viewer)
    asked = queries(lambda: client.get(url(kind, job)))
    assert len(asked) <= most, asked
    assert not any(re.search('.[`"](arguments|data)[`"]', sql) for sql in asked)


def test_a_page_with_many_statuses_costs_what_one_with_few_does(thing):
    viewer = user('viewer', 'view_job', 'cancel_job')
    jobs = [Plain.enqueue(instance=thing) for _ in range(30)]
    page = '{% load netbox_jobs %}{% for job in jobs %}{% job_status job %}{% endfor %}'

    def look(jobs):
        fresh = get_user_model().objects.get(pk=viewer.pk)
        return len(queries(lambda: render(page, fresh, jobs=jobs)))

    assert look(jobs) == look(jobs[:1])

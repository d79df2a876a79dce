"""The export of a list as CSV or JSON: no formula, no control character, piece by piece, bounded, by permission."""

import csv
import io
import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.utils import timezone

from netbox_jobs.models import Job
from netbox_jobs.monitoring import export
from netbox_jobs.monitoring.job_documents import job as document
from tests.app.models import Thing

pytestmark = pytest.mark.django_db

LIST = '/admin/netbox_jobs/job/'


def make(name='job', **values):
    return Job.objects.create(**{'name': name, 'runner': 'tests.app.jobs.Plain', 'status': 'errored', **values})


@pytest.fixture
def viewer(client):
    """A client that may look at jobs, and nothing else."""
    user = User.objects.create_user('viewer', is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename='view_job'))
    client.force_login(user)
    return client


def download(client, name, **query):
    response = client.get(f'{LIST}export.{name}', query)
    assert response.status_code == 200 and response.streaming
    assert f'.{name}"' in response['Content-Disposition'] and response['X-Content-Type-Options'] == 'nosniff'
    return b''.join(response.streaming_content).decode()


def rows(text):
    return list(csv.DictReader(io.StringIO(text.removeprefix('\ufeff'), newline='')))


@pytest.mark.parametrize(
    'text',
    ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '\n=1', ' =1', '\uff1d1', '\x1b[31m=1', '=HYPERLINK("x";"y")'],
)
def test_no_cell_is_a_formula(text):
    cell = export.safe_cell(text)
    assert cell.startswith("'")
    assert cell.isprintable() or '\n' in cell or '\t' in cell


def test_plain_texts_and_numbers_stay_as_they_are():
    for value, cell in (('a=b', 'a=b'), ('', ''), (None, ''), (-5, '-5'), (2.5, '2.5'), ('a\nb', 'a\nb')):
        assert export.safe_cell(value) == cell


def test_control_characters_are_not_exported_raw():
    assert export.safe_cell('a\x1b[31mb\x07c\x9bd') == 'ab\u2407c\ufffdd'
    make('a\x1b[31mb', error='\x9b2J')
    for pieces in (export.as_csv(Job.objects.all()), export.as_json(Job.objects.all())):
        text = ''.join(pieces)
        assert '\x1b' not in text and '\x9b' not in text


def test_the_admin_exports_the_filtered_list_in_its_order(viewer):
    thing = Thing.objects.create(name='Berlin')
    user = User.objects.get(username='viewer')
    old = make('=cmd', object=thing, user=user, error='=1+1', execution_time=timedelta(seconds=2.5), due=1)
    new = make('new "x", y', due=2)
    make('other', status='completed')
    found = rows(download(viewer, 'csv', status='errored'))
    assert [row['id'] for row in found] == [str(new.pk), str(old.pk)]
    assert found[0]['name'] == 'new "x", y'
    assert (found[1]['name'], found[1]['error']) == ("'=cmd", "'=1+1")
    assert (found[1]['instance'], found[1]['user']) == (f'testapp.thing:{thing.pk}', 'viewer')
    assert found[1]['execution_time'] == '2.5'
    assert list(found[0]) == list(export.COLUMNS)
    documents = json.loads(download(viewer, 'json', q='error:1+1'))
    assert [(each['id'], each['name']) for each in documents] == [(old.pk, '=cmd')]


def test_the_columns_are_the_keys_of_the_documents_without_the_progress():
    assert set(export.COLUMNS) == set(document(make(), None, None)) - {'progress'}


def test_an_empty_list_is_a_line_of_titles_and_an_empty_list(viewer):
    assert rows(download(viewer, 'csv')) == []
    assert json.loads(download(viewer, 'json')) == []


def test_the_page_offers_the_export_with_its_filters(viewer):
    make()
    page = viewer.get(LIST, {'status': 'errored'}).content.decode()
    assert f'{LIST}export.csv?status=errored' in page and f'{LIST}export.json?status=errored' in page


def test_who_may_not_view_jobs_exports_none(client):
    client.force_login(User.objects.create_user('someone', is_staff=True))
    assert client.get(f'{LIST}export.csv').status_code == 403
    client.logout()
    assert client.get(f'{LIST}export.json').status_code == 302


def test_a_wrong_filter_exports_nothing(viewer):
    assert viewer.get(f'{LIST}export.csv', {'no_such': '1'}).status_code == 404


def test_an_export_has_a_bound_and_is_read_in_batches(django_assert_num_queries, monkeypatch):
    for _ in range(5):
        make(created=timezone.now())
    monkeypatch.setattr(export, 'BATCH', 2)
    jobs = Job.objects.order_by('-pk')
    with django_assert_num_queries(1 + 2 * 2):  # the keys; and for each batch its jobs, and their progress
        lines = list(export.as_csv(jobs, most=3))
    assert len(lines) == 1 + 3
    pieces = export.as_json(jobs)
    assert next(pieces) == '['
    with django_assert_num_queries(1 + 2):  # the rest is not read before it is asked for
        next(pieces)


def test_a_job_that_is_deleted_meanwhile_is_left_out():
    jobs = [make(), make()]
    lines = export.as_csv(Job.objects.order_by('pk'))
    next(lines)
    jobs[0].delete()
    assert [row['id'] for row in rows(''.join(['"id"\r\n', *lines]))] == [str(jobs[1].pk)]


def test_neither_arguments_nor_results_are_exported():
    make(arguments_shown='secret', data={'secret': 1})
    for pieces in (export.as_csv(Job.objects.all()), export.as_json(Job.objects.all())):
        assert 'secret' not in ''.join(pieces)


def test_jobs_list_writes_csv_and_json():
    make('first')
    job = make('=second', error='\x1b[31mred')
    out = io.StringIO()
    call_command('jobs', 'list', '--csv', '--limit', '1', stdout=out)
    [row] = rows(out.getvalue())
    assert (row['id'], row['name'], row['error']) == (str(job.pk), "'=second", 'red')
    out = io.StringIO()
    call_command('jobs', 'list', '--json', stdout=out)
    assert [each['name'] for each in json.loads(out.getvalue())] == ['=second', 'first']
    assert '\x1b' not in out.getvalue()

"""The search for jobs: by error, object, argument, number and ID; at a bounded cost, and by permission."""

import io
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from netbox_jobs.models import Job
from netbox_jobs.monitoring import search, searched
from tests.app.models import TextThing, Thing, UUIDThing

pytestmark = pytest.mark.django_db

LIST = '/admin/netbox_jobs/job/'


def make(name='hay', **values):
    return Job.objects.create(**{'name': name, 'runner': 'tests.app.jobs.Plain', 'status': 'errored', **values})


def found(term, **options):
    return list(searched.find(Job.objects.order_by('pk'), term, **options).jobs)


def test_plain_words_are_found_in_the_name_the_runner_and_the_error():
    named, ran, wrong = make('needle'), make(runner='shop.jobs.NeedleJob'), make(error="KeyError('NEEDLE')")
    make()
    assert found('needle') == [named, ran, wrong]
    assert found('needle KeyError') == [wrong]


def test_a_job_is_found_by_its_number_and_by_its_id():
    job = make()
    make(f'about {job.pk}')
    assert found(str(job.pk)) == found(f'#{job.pk}') == found(str(job.job_id)) == [job]


def test_the_text_of_an_error_is_found_and_quotes_keep_words_together():
    one, two = make(error='no answer from 10.0.0.1'), make(error='answer: no')
    make('no answer')
    assert found('error:answer') == [one, two]
    assert found('error:"no answer"') == [one]
    assert found('ERROR:10.0.0.1') == [one]


@pytest.mark.parametrize('model', [Thing, UUIDThing])
def test_jobs_are_found_by_the_name_and_by_the_key_of_their_object(model):
    berlin, paris = model.objects.create(name='Berlin'), model.objects.create(name='Paris')
    job, _other = make(object=berlin), make(object=paris)
    make('Berlin')
    assert found('object:berl') == found(f'object:{berlin.pk}') == [job]
    assert found(f'object:{model._meta.label_lower}:{berlin.pk}') == [job]
    assert found(f'object:nothing.such:{berlin.pk}') == found('object:rome') == []


def test_an_object_without_a_name_is_found_by_its_key():
    job = make(object=TextThing.objects.create(code='ab/c'))
    assert found('object:ab/c') == [job]
    assert found('object:b/c') == []


def test_arguments_are_searched_only_for_those_who_may_see_them():
    job = make(arguments_shown='pages=3\ntoken=abc')
    make('pages=3')
    assert found('argument:pages=3', arguments=True) == [job]
    assert found('argument:pages=3') == []
    assert found('token', arguments=True) == [], 'arguments are found by argument: alone'


def test_only_the_beginning_of_an_error_is_compared():
    make(error='x' * search.READ + 'late')
    assert found('error:late') == []


def test_a_search_compares_so_many_jobs_and_goes_on_where_it_has_ended():
    for name in ('needle 1', 'hay', 'hay', 'needle 2', 'hay'):
        make(name)
    found_so_far = searched.find(Job.objects.order_by('pk'), 'needle', compared=3)
    assert [job.name for job in found_so_far.jobs] == ['needle 2']
    term = found_so_far.earlier_term('needle')
    assert term == f'needle before:#{found_so_far.earlier}'
    last = searched.find(Job.objects.order_by('pk'), term, compared=3)
    assert ([job.name for job in last.jobs], last.earlier) == (['needle 1'], None)


def test_a_search_with_many_hits_ends_and_goes_on_also_with_filters():
    for number in range(9):
        make(f'needle {number}', queue_name='low' if number == 0 else 'high')
    term, seen = 'needle', []
    for _ in range(5):
        result = searched.find(Job.objects.filter(queue_name='low'), term, hits=2)
        seen += [job.name for job in result.jobs]
        term = result.earlier_term(term) if result.earlier else term
    assert (seen, result.earlier) == (['needle 0'], None)


@pytest.mark.parametrize(
    ('term', 'given'),
    [
        ('error:gone', {}),
        ('argument:pages', {'status': 'errored'}),
        ('gone', {'error': 'f' * 16}),
        ('gone', {'when': '2020'}),
        ('argument:pages object:Berlin', {}),
    ],
)
def test_an_index_leads_to_jobs_that_are_older_than_the_newest(term, given):
    """One job of its kind, and after it more jobs than are compared."""
    then = datetime(2020, 5, 1, tzinfo=UTC)
    berlin = Thing.objects.create(name='Berlin')
    values = {'fingerprint': 'f' * 16, 'completed': then, 'due': 1, 'arguments_shown': 'pages=3', 'object': berlin}
    job = make(error='gone', created=then, **values)
    for _ in range(12):
        make(status='completed', due=2)
    result = searched.find(Job.objects.all(), term, given, arguments=True, compared=12)
    assert (list(result.jobs), result.earlier) == ([job], None)


@pytest.mark.parametrize(
    ('term', 'given'),
    [('gone', {'status': 'errored'}), ('gone', {'when': '2020'}), ('gone', {'error': 'f' * 16}), ('gone object:x', {})],
)
def test_a_search_by_an_index_goes_on_where_it_has_ended(term, given):
    thing = Thing.objects.create(name='x')
    then = datetime(2020, 5, 1, tzinfo=UTC)
    for number in range(5):
        at = then + timedelta(hours=number)
        values = {'created': at, 'completed': at, 'due': number, 'fingerprint': 'f' * 16, 'object': thing}
        make(f'number {number}', error='gone', **values)
    seen = []
    for _ in range(5):
        result = searched.find(Job.objects.order_by('pk'), term, given, compared=12)
        seen += [job.name for job in result.jobs]
        if result.earlier is None:
            break
        term = result.earlier_term(term)
    assert set(seen) == {f'number {number}' for number in range(5)}


def test_each_statement_of_a_search_has_a_limit():
    make(error='gone', object=Thing.objects.create(name='Berlin'))
    for term in ('gone', 'error:gone', 'argument:x', 'object:Berlin gone'):
        with CaptureQueriesContext(connection) as queries:
            found(term, arguments=True)
        compared = [query['sql'] for query in queries if 'hit = 1' in query['sql']]
        assert len(compared) == 1, term
        limits = re.findall(r'LIMIT (\d+)\) w', compared[0])
        assert sum(map(int, limits)) <= searched.COMPARED, compared[0]


def test_only_the_objects_with_the_highest_keys_are_compared(monkeypatch):
    old, new = Thing.objects.create(name='Berlin'), Thing.objects.create(name='Berlin')
    make(object=old)
    job = make(object=new)
    monkeypatch.setattr(search, 'OBJECTS', 1)
    assert found('object:Berlin') == [job]


def test_signs_of_patterns_are_plain_characters():
    job = make(error='100% of a_b')
    make(error='100 of axb')
    assert found('error:100%') == found('error:a_b') == [job]


def test_the_admin_finds_arguments_for_those_who_may_view_jobs(client):
    viewer = User.objects.create_user('viewer', is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename='view_job'))
    client.force_login(viewer)
    job = make(arguments_shown='pages=3', object=Thing.objects.create(name='Berlin'), error='gone')
    for term in ('argument:pages=3', 'object:berlin', 'error:gone', str(job.job_id)):
        page = client.get(LIST, {'q': term})
        assert [row.pk for row in page.context['cl'].result_list] == [job.pk], term
    assert not client.get(LIST, {'q': 'argument:pages=4'}).context['cl'].result_list


def test_jobs_list_searches():
    job = make('needle', error='gone', arguments_shown='pages=3')
    make()
    for term in ('needle', 'error:gone', 'argument:pages=3', str(job.pk)):
        out = io.StringIO()
        call_command('jobs', 'list', '--json', '--search', term, stdout=out)
        assert [document['id'] for document in json.loads(out.getvalue())] == [job.pk], term
    out = io.StringIO()
    call_command('jobs', 'list', '--search', 'nowhere', stdout=out, stderr=out)
    assert 'No jobs match.' in out.getvalue()

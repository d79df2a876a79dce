import pytest
from django.core.exceptions import ImproperlyConfigured

from netbox_jobs.execution.entry import run_delivered
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job
from tests.app.jobs import Plain
from tests.app.models import Thing, UUIDThing

pytestmark = [pytest.mark.django_db, pytest.mark.once]

GRADING = '/api/runners/tests.app.offered.Grading/'
OPEN = '/api/runners/tests.app.offered.Open/'


def enqueue(client, address=GRADING, **body):
    return client.post(address, body, format='json')


def result(answer):
    assert answer.status_code == 201, answer.content
    run_delivered(answer.json()['job_id'])
    job = Job.objects.get(pk=answer.json()['id'])
    assert job.status == 'completed', job.error
    return job


def test_the_runners_that_say_so_are_listed(client_of):
    found = client_of('user', 'add_job').get('/api/runners/').json()
    paths = [each['runner'] for each in found]
    assert 'tests.app.offered.Grading' in paths and 'tests.app.jobs.Plain' not in paths
    (grading,) = [each for each in found if each['runner'] == 'tests.app.offered.Grading']
    assert grading == {
        'runner': 'tests.app.offered.Grading',
        'name': 'Grading',
        'description': 'Takes an argument of each kind.',
        'url': f'http://testserver{GRADING}',
    }


def test_a_job_is_enqueued_for_the_user_with_arguments_of_the_types_of_run(client_of):
    client = client_of('user', 'add_job', 'view_thing')
    thing = Thing.objects.create()
    given = {
        'days': 3, 'thing': thing.pk, 'word': ' w ', 'share': 1, 'deep': True, 'price': '1.50', 'day': '2026-01-31',
        'at': '2026-01-31T12:00:00Z', 'every': '01:00:00', 'key': 'b5d5a7d0-6e4a-4a63-9c2b-0b8a4c4f3d11',
        'color': 'blue', 'mode': 'slow', 'numbers': [1, 2], 'names': {'a': 'b'}, 'anything': {'x': [1, None]},
        'name': 'n',
    }  # fmt: skip
    answer = enqueue(client, arguments=given, name='By hand', schedule_at=None)
    assert answer['Location'] == answer.json()['url']
    assert (answer.json()['name'], answer.json()['user']['username']) == ('By hand', 'user')
    data = result(answer).data
    assert data['thing'] == f'<Thing: {thing}>' and data['price'] == "Decimal('1.50')" and data['word'] == "' w '"
    assert data['color'] == "<Color.BLUE: 'blue'>" and data['every'] == 'datetime.timedelta(seconds=3600)'
    assert data['at'].startswith('datetime.datetime(2026, 1, 31') and data['day'] == 'datetime.date(2026, 1, 31)'
    assert data['key'].startswith('UUID(') and data['name'] == "'n'" and data['anything'] == "{'x': [1, None]}"


def test_a_job_is_enqueued_for_an_object_and_for_later(client_of):
    client = client_of('user', 'add_job', 'view_uuidthing')
    thing = UUIDThing.objects.create()
    about = {'object_type': 'testapp.uuidthing', 'object_id': str(thing.pk)}
    answer = enqueue(client, arguments={'days': 1}, instance=about, schedule_at='2050-01-31T12:00:00+01:00')
    assert answer.json().items() >= about.items()
    assert answer.json()['status']['value'] == 'scheduled'


@pytest.mark.parametrize(
    ('body', 'pointer'),
    [
        ({}, '#/arguments'),
        ({'arguments': {}}, '#/arguments/days'),
        ({'arguments': {'days': '3'}}, '#/arguments/days'),
        ({'arguments': {'days': True}}, '#/arguments/days'),
        ({'arguments': {'days': None}}, '#/arguments/days'),
        ({'arguments': {'days': 1, 'weeks': 2}}, '#/arguments/weeks'),
        ({'arguments': {'days': 1, 'mode': 'odd'}}, '#/arguments/mode'),
        ({'arguments': {'days': 1, 'numbers': [1, 'x']}}, '#/arguments/numbers/1'),
        ({'arguments': {'days': 1, 'thing': 5}}, '#/arguments/thing'),
        ({'arguments': {'days': 1, 'deep': 'yes'}}, '#/arguments/deep'),
        ({'arguments': []}, '#/arguments'),
        ({'arguments': {'days': 1}, 'schedule_at': 'soon'}, '#/schedule_at'),
        (
            {'arguments': {'days': 1}, 'instance': {'object_type': 'no.such', 'object_id': '1'}},
            '#/instance/object_type',
        ),
        ({'arguments': {'days': 1}, 'instance': {'object_type': 'testapp.thing', 'object_id': '1'}}, '#/instance'),
        ({'arguments': {'days': 1}, 'name': 'x' * 201}, '#/name'),
        ({'arguments': {'days': 1, 'price': 'x'}}, '#/arguments/price'),
        ({'arguments': {'days': 1, 'every': '99:00:00'}}, '#/arguments/every'),
        ({'arguments': {'days': 1}, 'naem': 'x'}, '#/naem'),
    ],
)
def test_arguments_are_checked_by_the_signature_and_nothing_is_stored(boss, body, pointer):
    answer = enqueue(boss, **body)
    # What has the form that the schema says, and names what is not there, is a conflict.
    unknown = pointer in ('#/arguments/thing', '#/instance', '#/instance/object_type')
    assert answer.status_code == (409 if unknown else 400)
    assert [each['pointer'] for each in answer.json()['errors']] == [pointer]
    assert not Job.objects.exists()


def test_an_object_that_the_user_may_not_view_does_not_exist_for_them(client_of):
    thing = Thing.objects.create()
    about = {'object_type': 'testapp.thing', 'object_id': str(thing.pk)}
    client = client_of('user', 'add_job')
    assert enqueue(client, arguments={'days': 1, 'thing': thing.pk}).status_code == 409
    assert enqueue(client, arguments={'days': 1}, instance=about).status_code == 409
    assert (
        enqueue(client_of('other', 'add_job', 'view_thing'), arguments={'days': 1}, instance=about).status_code == 201
    )


def test_a_runner_that_takes_any_keyword_takes_any_argument(boss):
    assert result(enqueue(boss, OPEN, arguments={'more': [1]})).data == {'unknown': None, 'more': [1]}
    assert result(enqueue(boss, OPEN)).data == {'unknown': None}
    assert enqueue(boss, OPEN, arguments={'self': 1}).status_code == 409


def test_what_a_runner_refuses_is_a_problem(boss):
    answer = enqueue(boss, '/api/runners/tests.app.offered.Refusing/')
    assert (answer.status_code, answer.json()['errors'][0]['detail']) == (409, 'not today')


def test_users_need_the_permission_and_runners_the_option(client_of):
    assert enqueue(client_of('user'), arguments={'days': 1}).status_code == 403
    assert enqueue(client_of('other', 'add_job'), f'/api/runners/{Plain.__module__}.Plain/').status_code == 404


def test_the_option_is_true_or_false():
    with pytest.raises(ImproperlyConfigured, match=r"Meta: api is 'yes'; expected True or False\."):

        class Wrong(JobRunner):
            class Meta:
                api = 'yes'

            def run(self):
                pass

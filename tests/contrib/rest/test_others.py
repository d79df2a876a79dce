"""Schedules, queues and workers; and what all addresses have in common."""

import pytest

from netbox_jobs.models import Job, PausedQueue, Schedule, Worker
from tests.app.jobs import Plain
from tests.app.models import Thing

pytestmark = [pytest.mark.django_db, pytest.mark.once]


def test_schedules_are_listed_with_their_next_run(boss):
    thing = Thing.objects.create()
    job = Plain.enqueue_once(instance=thing, interval=60, user=boss.user)
    (found,) = boss.get('/api/schedules/').json()['results']
    assert found.items() >= {
        'id': job.schedule_id, 'object_type': 'testapp.thing', 'object_id': str(thing.pk), 'interval': 60,
        'runner': 'tests.app.jobs.Plain', 'state': 'active', 'paused': False, 'last_job': None, 'last_run': None,
    }.items()  # fmt: skip
    assert found['next_run'] and found['user']['username'] == 'boss'
    job.start()
    job.terminate()
    found = boss.get(found['url']).json()
    assert (found['last_job'], found['last_status']['value'], found['runs']) == (job.pk, 'completed', 1)


def test_a_schedule_can_be_paused_resumed_run_now_and_ended(boss):
    job = Plain.enqueue_once(interval=60)
    address = f'/api/schedules/{job.schedule_id}/'
    assert boss.post(f'{address}pause/').json()['state'] == 'paused'
    assert boss.post(f'{address}resume/').json()['state'] == 'active'
    assert boss.post(f'{address}run/').json()['id'] == job.pk
    job.refresh_from_db()
    job.start()
    assert boss.post(f'{address}run/').status_code == 409
    assert boss.post(f'{address}end/').status_code == 204
    assert not Schedule.objects.exists()
    assert boss.post(f'{address}end/').status_code == 404


def test_schedules_are_for_users_who_may_view_or_manage_them(client_of):
    job = Plain.enqueue_once(interval=60)
    address = f'/api/schedules/{job.schedule_id}/'
    stranger, reader, manager = client_of('n'), client_of('r', 'view_schedule'), client_of('m', 'manage_schedule')
    assert [each.get(address).status_code for each in (stranger, reader, manager)] == [403, 200, 200]
    assert [each.post(f'{address}pause/').status_code for each in (stranger, reader, manager)] == [403, 403, 200]


def test_a_page_of_schedules_takes_the_same_queries_however_many_it_has(boss, django_assert_num_queries):
    def fill(count):
        for _ in range(count):
            thing = Thing.objects.create()
            user = type(boss.user).objects.create_user(f'u{thing.pk}')
            Plain.enqueue_once(instance=thing, interval=60, user=user)

    fill(1)
    boss.get('/api/schedules/')
    with django_assert_num_queries(8):
        boss.get('/api/schedules/')
    fill(20)
    with django_assert_num_queries(8):
        assert len(boss.get('/api/schedules/').json()['results']) == 21


def test_queues_are_listed_and_can_be_paused_and_resumed(boss):
    Plain.enqueue(queue_name='low')
    found = {each['name']: each for each in boss.get('/api/queues/').json()}
    assert list(found)[:3] == ['high', 'default', 'low']
    assert (found['low']['waiting'], found['low']['state'], found['high']['waiting']) == (1, 'no_worker', 0)
    assert boss.post('/api/queues/low/pause/').json()['state'] == 'paused'
    assert PausedQueue.objects.get().name == 'low'
    assert boss.get('/api/queues/low/').json()['paused']
    assert boss.post('/api/queues/low/resume/').json()['paused'] is None
    for address in ('queues/none/', 'queues/none/pause/'):
        assert boss.generic('GET' if address.count('/') == 2 else 'POST', f'/api/{address}').status_code == 404


def test_a_queue_that_is_configured_no_more_can_be_resumed(boss):
    PausedQueue.objects.create(name='gone')
    assert boss.post('/api/queues/gone/pause/').status_code == 404
    assert boss.post('/api/queues/gone/resume/').json()['paused'] is None
    assert not PausedQueue.objects.exists()


def test_queues_are_for_users_who_may_view_all_jobs(client_of):
    reader, manager = client_of('r', 'view_job'), client_of('m', 'view_job', 'pause_queue')
    assert client_of('n', 'pause_queue').post('/api/queues/low/pause/').status_code == 403
    assert reader.get('/api/queues/').status_code == 200
    assert [each.post('/api/queues/low/pause/').status_code for each in (reader, manager)] == [403, 200]


def test_workers_are_listed_with_the_jobs_that_they_run(boss, client_of):
    Worker.objects.create(token='w', name='w', host='h', pid=7, queues='high,low', beats=3, version='v')
    job = Plain.enqueue()
    job.start()
    Job.objects.filter(pk=job.pk).update(worker='w')
    (found,) = boss.get('/api/workers/').json()
    assert found.items() >= {'name': 'w', 'pid': 7, 'queues': ['high', 'low'], 'heartbeats': 3, 'silent': None}.items()
    assert found['jobs'] == [job.pk]
    assert client_of('n').get('/api/workers/').status_code == 403
    assert client_of('r', 'view_worker').get('/api/workers/').json()[0]['jobs'] == []


# Problems


def test_every_refusal_has_problem_details(boss, visitor):
    # (The client of the tests looks at the body of each.)
    assert visitor.get('/api/jobs/').status_code == 403
    assert boss.get('/api/jobs/0/').status_code == boss.get('/api/nothing/').status_code == 404
    assert boss.get('/api/jobs/x/').status_code == boss.get('/api/jobs/99999999999999999999/').status_code == 404
    assert boss.delete('/api/jobs/').status_code == 405
    assert boss.get('/api/jobs/', headers={'accept': 'text/html'}).status_code == 406
    assert boss.post('/api/jobs/retry/', 'a=b', content_type='text/plain').status_code == 415
    broken = boss.post('/api/jobs/retry/', '{', content_type='application/json')
    assert (broken.status_code, broken.json()['code']) == (400, 'parse_error')


def test_the_start_lists_addresses_that_answer(boss, visitor):
    found = boss.get('/api/').json()
    assert found['jobs'].endswith('/api/jobs/') and len(found) == 7
    assert {name: boss.get(url).status_code for name, url in found.items()} == dict.fromkeys(found, 200)
    assert visitor.get('/api/').status_code == 403


def test_the_document_describes_this_api_alone(boss, visitor):
    found = boss.get('/api/schema/', headers={'accept': 'application/vnd.oai.openapi+json'}).json()
    assert found['info']['title'] == 'Background jobs'
    assert '/api/jobs/{id}/' in found['paths'] and all(path.startswith('/api/') for path in found['paths'])
    grading = found['components']['schemas']['tests_app_offered_GradingArguments']
    assert grading['required'] == ['days'] and grading['additionalProperties'] is False
    assert grading['properties']['days'] == {'type': 'integer'}
    # What a string must be stands there: a request that is valid by it is not refused as malformed.
    fields = [part.get('properties', {}) for part in found['components']['schemas'].values()]
    patterns = [each['object_type'].get('pattern') for each in fields if each.keys() == {'object_type', 'object_id'}]
    assert patterns == [r'^[^\u0000]+$']

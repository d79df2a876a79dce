from datetime import timedelta

import pytest
from django.utils import timezone

from netbox_jobs.execution.entry import run_delivered
from netbox_jobs.models import Job, JobAttempt, JobLogEntry, PausedQueue, Progress, Worker
from tests.app.jobs import Erring, Failing, Plain, Talking
from tests.app.models import Thing

pytestmark = pytest.mark.django_db

#: NetBox's `JobSerializer` has these.
OF_NETBOX = {
    'id', 'url', 'display_url', 'display', 'object_type', 'object_id', 'name', 'status', 'created', 'scheduled',
    'interval', 'started', 'completed', 'user', 'data', 'error', 'job_id', 'log_entries',
}  # fmt: skip


def ran(runner=Plain, **kwargs):
    job = runner.enqueue(**kwargs)
    run_delivered(str(job.job_id))
    return Job.objects.get(pk=job.pk)


def ids(response):
    assert response.status_code == 200, response.content
    return [each['id'] for each in response.json()['results']]


def test_a_job_has_the_fields_of_netbox_and_its_progress(boss):
    thing = Thing.objects.create()
    job = ran(Talking, instance=thing, user=boss.user, lines=2)
    Progress.objects.create(job=job, current=3, total=12)
    found = boss.get(f'/api/jobs/{job.pk}/').json()
    assert found.keys() >= OF_NETBOX
    assert found['url'] == f'http://testserver/api/jobs/{job.pk}/'
    assert found['display_url'] == f'http://testserver/admin/netbox_jobs/job/{job.pk}/change/'
    assert (found['object_type'], found['object_id']) == ('testapp.thing', str(thing.pk))
    assert found['status'] == {'value': 'completed', 'label': 'Completed'}
    assert found['user'] == {'id': boss.user.pk, 'display': 'boss', 'username': 'boss'}
    assert [line['message'] for line in found['log_entries']] == ['line 1 of 2', 'line 2 of 2']
    assert found['log_entries'][0].keys() >= {'level', 'message', 'timestamp'}
    assert (found['wait'], found['attempts']) == (None, [])
    assert boss.get('/api/jobs/').json()['results'][0].items() <= found.items()
    Job.objects.filter(pk=job.pk).update(status='running', retries=2, crashes=1, tenant='acme')
    assert boss.get(f'/api/jobs/{job.pk}/').json()['progress']['percent'] == 25
    (listed,) = boss.get('/api/jobs/').json()['results']
    assert [listed[name] for name in ('attempt', 'retries', 'crashes', 'tenant')] == [1, 2, 1, 'acme']


def test_a_waiting_job_says_why_it_waits_and_a_retried_one_has_its_attempts(boss):
    job = Plain.enqueue()
    JobAttempt.objects.create(job=job, number=1, error='no')
    PausedQueue.pause('default')
    found = boss.get(f'/api/jobs/{job.pk}/').json()
    assert found['wait'] == {'reason': 'queue_paused', 'text': 'the queue default is paused'}
    assert [(each['number'], each['error']) for each in found['attempts']] == [(1, 'no')]


def test_arguments_are_for_users_who_may_view_all_jobs(client_of):
    worker, reader = client_of('worker'), client_of('reader', 'view_job')
    job = Plain.enqueue(user=worker.user, secret='x')
    retried = Job.objects.create(user=worker.user, retry_of=job, name='x')
    assert reader.get(f'/api/jobs/{job.pk}/').json()['arguments'] == "secret='x'"
    assert worker.get(f'/api/jobs/{job.pk}/').json()['arguments'] is None
    assert reader.get(f'/api/jobs/{retried.pk}/').json()['retry_of'] == job.pk
    assert worker.get(f'/api/jobs/{retried.pk}/').json()['retry_of'] is None
    assert 'arguments' not in reader.get('/api/jobs/').json()['results'][0]


def test_users_without_permission_see_their_own_jobs_and_404_for_others(client_of, visitor):
    worker, reader = client_of('worker'), client_of('reader', 'view_job')
    own, other = Plain.enqueue(user=worker.user), Plain.enqueue()
    assert ids(worker.get('/api/jobs/')) == [own.pk]
    assert ids(reader.get('/api/jobs/')) == [other.pk, own.pk]
    for part in ('', 'log/', 'events/'):
        assert worker.get(f'/api/jobs/{other.pk}/{part}').status_code == 404
    for action in ('cancel', 'stop', 'retry'):
        assert worker.post(f'/api/jobs/{other.pk}/{action}/').status_code == 404
        assert reader.post(f'/api/jobs/{other.pk}/{action}/').status_code == 403
    for address in ('jobs/', f'jobs/{own.pk}/', 'runners/', 'schedules/', 'queues/', 'workers/'):
        assert visitor.get(f'/api/{address}').status_code == 403
    assert worker.post(f'/api/jobs/{own.pk}/cancel/').status_code == 200


def test_the_filters_are_those_of_the_admin(boss):
    thing = Thing.objects.create()
    plain = ran()
    failed = ran(Failing, user=boss.user)
    erred = ran(Erring, queue_name='low')
    about = Plain.enqueue(instance=thing, schedule_at=timezone.now() + timedelta(days=1))
    old = Job.objects.create(name='old one', status='completed', created='2020-02-03T12:00Z')

    def found(query):
        return ids(boss.get(f'/api/jobs/?{query}'))

    assert found('') == [old.pk, about.pk, erred.pk, failed.pk, plain.pk]
    assert found('status=errored') == [erred.pk]
    assert found('status=errored&status=failed') == [erred.pk, failed.pk]
    assert found('runner=tests.app.jobs.Failing') == [failed.pk]
    assert found('queue=low') == [erred.pk]
    assert found(f'user={boss.user.pk}') == [failed.pk]
    assert found('user=unknown') == []
    assert found(f'error={erred.fingerprint}') == [erred.pk]
    assert found('object_type=testapp.thing') == [about.pk]
    assert found(f'object_type=testapp.thing&object_id={thing.pk}') == [about.pk]
    assert found('object_type=testapp.thing&object_id=0') == found('object_type=no.such') == found('object_id=1') == []
    assert found('when=2020') == found('when=2020-02') == found('when=2020-02-03') == [old.pk]
    assert found('when=1h') == [about.pk, erred.pk, failed.pk, plain.pk]
    assert found('when=soon') == []
    assert found('created_before=2021-01-01T00:00:00Z') == [old.pk]
    assert old.pk not in found('created_from=2021-01-01T00:00:00Z')
    assert found('ended_from=2021-01-01T00:00:00Z') == [erred.pk, failed.pk, plain.pk]
    assert found('q=old') == [old.pk] and found(f'q={plain.pk}') == found(f'q={plain.job_id}') == [plain.pk]
    refused = boss.get('/api/jobs/?status=lost&created_from=then')
    assert refused.status_code == 400
    assert {each['parameter'] for each in refused.json()['errors']} == {'status', 'created_from'}
    misspelt = boss.get('/api/jobs/?statsu=failed')
    assert (misspelt.status_code, misspelt.json()['errors'][0]['parameter']) == (400, 'statsu')


def test_the_log_is_read_by_cursor_and_after_a_line(boss):
    job = Plain.enqueue()
    lines = JobLogEntry.objects.bulk_create(
        JobLogEntry(job=job, level='info' if number % 2 else 'error', message=f'{number}') for number in range(5)
    )
    address, messages = f'/api/jobs/{job.pk}/log/?limit=2', []
    while address:
        page = boss.get(address).json()
        messages += [line['message'] for line in page['results']]
        address = page['next']
    assert messages == ['0', '1', '2', '3', '4']
    assert ids(boss.get(f'/api/jobs/{job.pk}/log/?after={lines[3].pk}')) == [lines[4].pk]
    assert ids(boss.get(f'/api/jobs/{job.pk}/log/?level=warning')) == [lines[n].pk for n in (0, 2, 4)]
    for query in ('after=x', 'level=loud', 'limit=0', 'limit=1001'):
        assert boss.get(f'/api/jobs/{job.pk}/log/?{query}').status_code == 400


# Actions


def test_a_waiting_job_can_be_canceled_and_no_other(boss):
    job = Plain.enqueue()
    answer = boss.post(f'/api/jobs/{job.pk}/cancel/')
    assert (answer.status_code, answer.json()['status']['value']) == (200, 'canceled')
    refused = boss.post(f'/api/jobs/{job.pk}/cancel/')
    assert refused.status_code == 409
    assert refused.json()['detail'] == f'Job {job.pk} is canceled; only a job that waits can be canceled.'


def test_a_running_job_can_be_stopped_also_twice(boss):
    Worker.objects.create(token='w', name='w', host='h', pid=1)
    job = Plain.enqueue()
    job.start()
    first = boss.post(f'/api/jobs/{job.pk}/stop/')
    assert first.status_code == 200 and first.json()['stopping']
    assert boss.post(f'/api/jobs/{job.pk}/stop/').json()['stopping'] == first.json()['stopping']
    assert boss.post(f'/api/jobs/{Plain.enqueue().pk}/stop/').json()['status']['value'] == 'canceled'
    assert boss.post(f'/api/jobs/{ran().pk}/stop/').status_code == 409


def test_an_ended_job_can_be_retried(boss):
    job = ran(Failing, message='again')
    answer = boss.post(f'/api/jobs/{job.pk}/retry/')
    assert (answer.status_code, answer.json()['retry_of']) == (201, job.pk)
    assert answer['Location'] == answer.json()['url']
    assert boss.post(f'/api/jobs/{answer.json()["id"]}/retry/').status_code == 409
    Job.objects.filter(pk=job.pk).update(arguments=b'changed')
    refused = boss.post(f'/api/jobs/{job.pk}/retry/')
    assert refused.status_code == 409 and 'signed' in refused.json()['detail']


def test_all_jobs_that_match_can_be_retried(boss):
    failed = [ran(Failing) for _ in range(3)]
    ran()
    answer = boss.post('/api/jobs/retry/', {'status': 'failed', 'runner': failed[0].runner}, format='json')
    assert (answer.status_code, answer.json()['matched']) == (202, 3)
    acting = Job.objects.get(pk=answer.json()['job']['id'])
    assert acting.user == boss.user and answer['Location'] == answer.json()['job']['url']
    run_delivered(str(acting.job_id))
    assert set(Job.objects.filter(retry_of__isnull=False).values_list('retry_of', flat=True)) == {
        job.pk for job in failed
    }
    for body in ({}, {'status': 'running'}, {'created_from': 5}, {'queue': 'low', 'statsu': 'failed'}):
        assert boss.post('/api/jobs/retry/', body, format='json').status_code == 400, body
    assert boss.post('/api/jobs/retry/', {'user': 'unknown'}, format='json').status_code == 409


def test_who_sees_only_jobs_of_their_own_retries_only_these(client_of):
    worker, retrier = client_of('worker'), client_of('retrier', 'retry_job')
    own, _other = ran(Failing, user=retrier.user), ran(Failing, user=worker.user)
    body = {'status': 'failed', 'user': str(worker.user.pk)}
    answer = retrier.post('/api/jobs/retry/', body, format='json')
    assert (answer.status_code, answer.json()['matched']) == (202, 1)
    run_delivered(answer.json()['job']['job_id'])
    assert Job.objects.get(retry_of__isnull=False).retry_of_id == own.pk
    assert worker.post('/api/jobs/retry/', body, format='json').status_code == 403


# Costs


def test_a_page_of_jobs_takes_the_same_queries_however_many_jobs_it_has(boss, django_assert_num_queries):
    def fill(count):
        for number in range(count):
            thing = Thing.objects.create()
            user = type(boss.user).objects.create_user(f'u{number}-{thing.pk}')
            job = Plain.enqueue(instance=thing, user=user)
            job.start()
            Progress.objects.create(job=job, attempt=1)

    # The session, its user; their jobs with their types; the users and the progress of these.
    fill(1)
    boss.get('/api/jobs/')
    with django_assert_num_queries(5):
        assert len(ids(boss.get('/api/jobs/'))) == 1
    fill(20)
    with django_assert_num_queries(5):
        assert len(ids(boss.get('/api/jobs/'))) == 21
    job = ran(Talking, lines=5)
    # The session and its user; the job with its log, its attempts and its steps; its progress and its user.
    with django_assert_num_queries(7):
        boss.get(f'/api/jobs/{job.pk}/')

"""Server-sent events."""

import json

import pytest
from asgiref.sync import async_to_sync
from rest_framework.request import Request

from netbox_jobs.contrib.rest import events
from netbox_jobs.models import Job, JobLogEntry
from tests.app.jobs import Plain

pytestmark = [pytest.mark.django_db, pytest.mark.once]


def read(text):
    """The events of a stream: their name, id and data."""
    found = []
    for block in text.strip().split('\n\n'):
        fields = dict(line.split(': ', 1) for line in block.splitlines() if ': ' in line)
        if 'event' in fields:
            found.append((fields['event'], fields.get('id'), json.loads(fields['data'])))
    return found


def content(answer):
    assert (answer.status_code, answer['Content-Type']) == (200, 'text/event-stream')
    return b''.join(answer.streaming_content).decode()


def test_the_stream_of_an_ended_job_has_its_state_its_log_and_its_end(boss):
    job = Plain.enqueue()
    lines = JobLogEntry.objects.bulk_create(JobLogEntry(job=job, level='info', message=f'{n}\nx') for n in range(3))
    job.cancel()
    address = f'/api/jobs/{job.pk}/events/'
    text = content(boss.get(address, headers={'accept': 'text/event-stream'}))
    assert text.startswith('retry: 1000\n\n')
    found = read(text)
    assert [name for name, _id, _data in found] == ['job', 'log', 'log', 'log', 'end']
    assert found[0][2]['status']['value'] == 'canceled'
    assert [(each[1], each[2]['message']) for each in found[1:4]] == [(str(line.pk), line.message) for line in lines]
    # A browser that was cut off continues after the line that it has.
    again = read(content(boss.get(address, headers={'last-event-id': str(lines[1].pk)})))
    assert [each[1] for each in again if each[0] == 'log'] == [str(lines[2].pk)]
    assert len(read(content(boss.get(f'{address}?after={lines[2].pk}')))) == 2


def test_the_stream_follows_the_job_until_it_ends(boss, rf):
    job = Plain.enqueue()
    job.start()
    request = rf.get('/')
    request.user = boss.user
    request.resolver_match = None
    context = {'request': Request(request)}
    context['request'].user = boss.user
    watch = events.Watch(job, 0, context)
    changes = [
        lambda: None,
        lambda: JobLogEntry.objects.create(job=job, level='info', message='said'),
        lambda: job.terminate(),
    ]

    def sleep(seconds):
        assert seconds == events.EVERY
        changes.pop(0)()

    parts = list(events.stream(watch, asynchronous=False, sleep=sleep))
    assert [[each[0] for each in read(part)] for part in parts] == [[], ['job'], [], ['log'], ['job', 'end']]
    assert parts[2] == ':\n\n'  # a comment, by which a server notices that the client is gone


def test_the_stream_ends_if_the_job_is_deleted_and_after_a_while(boss, monkeypatch):
    job = Plain.enqueue()
    monkeypatch.setattr(events, 'LONGEST', -1)
    assert [each[0] for each in read(content(boss.get(f'/api/jobs/{job.pk}/events/')))] == ['job']
    answer = boss.get(f'/api/jobs/{job.pk}/events/')
    Job.objects.filter(pk=job.pk).delete()
    assert [each[0] for each in read(content(answer))] == ['deleted']


def test_a_long_log_is_read_without_pauses(boss, monkeypatch):
    monkeypatch.setattr(events, 'LINES', 2)
    monkeypatch.setattr(events, 'EVERY', 1000)
    job = Plain.enqueue()
    JobLogEntry.objects.bulk_create(JobLogEntry(job=job, level='info', message=f'{n}') for n in range(5))
    job.cancel()
    found = read(content(boss.get(f'/api/jobs/{job.pk}/events/')))
    assert [each[2]['message'] for each in found if each[0] == 'log'] == ['0', '1', '2', '3', '4']
    assert found[-1][0] == 'end'


def test_problems_of_the_stream_are_json(boss):
    missing = boss.get('/api/jobs/0/events/', headers={'accept': 'text/event-stream'})
    assert (missing.status_code, missing.json()['code']) == (404, 'not_found')
    job = Plain.enqueue()
    assert boss.get(f'/api/jobs/{job.pk}/events/?after=x').status_code == 400


def test_an_asgi_server_receives_the_same_events_asynchronously(boss):
    job = Plain.enqueue()
    job.cancel()
    watch = events.Watch(job, 0, boss.get('/api/jobs/').renderer_context)

    async def parts():
        return [part async for part in events.stream(watch, asynchronous=True)]

    assert [each[0] for each in read(''.join(async_to_sync(parts)()))] == ['job', 'end']

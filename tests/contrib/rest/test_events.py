"""Server-sent events."""

import asyncio
import json
from itertools import islice

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.db import connection, connections, transaction
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


class Stream:
    """A client of the API on an ASGI server, in this process."""

    def __init__(self, boss, job):
        cookie = f'{settings.SESSION_COOKIE_NAME}={boss.cookies[settings.SESSION_COOKIE_NAME].value}'
        self._server = ApplicationCommunicator(
            ASGIHandler(),
            {
                'type': 'http',
                'http_version': '1.1',
                'method': 'GET',
                'path': f'/api/jobs/{job.pk}/events/',
                'query_string': b'',
                'headers': [(b'host', b'testserver'), (b'cookie', cookie.encode())],
            },
        )

    async def connect(self):
        await self._server.send_input({'type': 'http.request', 'body': b'', 'more_body': False})
        assert (await self._server.receive_output(60))['status'] == 200

    async def until(self, name):
        """Read up to an event of this name; return the names of all that came."""
        found = []
        while name not in found:
            found += [each[0] for each in read((await self._server.receive_output(60))['body'].decode())]
        return found

    async def leave(self):
        await self._server.send_input({'type': 'http.disconnect'})
        await self._server.wait(60)


@pytest.mark.django_db(transaction=True)
def test_on_an_asgi_server_a_stream_ends_when_its_client_is_gone(boss):
    job = Plain.enqueue()
    job.start()

    async def watch_and_leave():
        stream = Stream(boss, job)
        await stream.connect()
        assert await stream.until('job') == ['job']
        assert events.places.taken == 1
        await stream.leave()

    async_to_sync(watch_and_leave)()
    assert events.places.taken == 0


@pytest.mark.django_db(transaction=True)
def test_on_an_asgi_server_many_streams_follow_a_job_at_once(boss, monkeypatch):
    monkeypatch.setattr(events, 'EVERY', 0.05)
    job = Plain.enqueue()
    job.start()

    async def watch():
        streams = [Stream(boss, job) for _ in range(8)]
        await asyncio.gather(*(each.connect() for each in streams))
        await asyncio.gather(*(each.until('job') for each in streams))
        assert events.places.taken == 8
        await sync_to_async(job.terminate, thread_sensitive=False)()
        found = await asyncio.gather(*(each.until('end') for each in streams))
        await asyncio.gather(*(each.leave() for each in streams))
        return found

    assert async_to_sync(watch)() == [['job', 'end']] * 8
    assert events.places.taken == 0


@pytest.mark.django_db(transaction=True)
def test_on_an_asgi_server_a_stream_keeps_no_connection_between_two_looks(boss):
    job = Plain.enqueue()
    watch = events.Watch(job, 0, boss.get('/api/jobs/').renderer_context)
    assert 'event: job' in events._look_and_disconnect(watch)
    assert all(each.connection is None for each in connections.all())
    with transaction.atomic():
        assert events._look_and_disconnect(watch) == ''
        assert connection.connection is not None


@pytest.mark.parametrize('asynchronous', [False, True])
def test_a_stream_that_finds_no_place_sends_what_there_is_and_ends(boss, settings, asynchronous):
    settings.NETBOX_JOBS = {**settings.NETBOX_JOBS, 'EVENT_STREAMS': 1}
    job = Plain.enqueue()
    context = boss.get('/api/jobs/').renderer_context

    def open_one():
        return events.stream(events.Watch(job, 0, context), asynchronous=asynchronous, sleep=lambda seconds: None)

    async def names(stream, most):
        found = []
        if asynchronous:
            async for part in stream:
                found.append(part)
                if len(found) == most:
                    break
        else:
            found = await sync_to_async(lambda: list(islice(stream, most)))()
        return [each[0] for each in read(''.join(found))], len(found)

    async def check():
        first, second = open_one(), open_one()
        assert await names(first, 2) == (['job'], 2)
        assert await names(second, 5) == (['job'], 2)
        await first.aclose() if asynchronous else first.close()
        third = open_one()
        assert await names(third, 3) == (['job'], 3)
        await third.aclose() if asynchronous else third.close()

    async_to_sync(check)()
    assert events.places.taken == 0

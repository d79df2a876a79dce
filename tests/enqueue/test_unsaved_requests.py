"""Jobs about unsaved objects: threads, requests, processes."""

import asyncio
import signal
import threading
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.core.signals import request_finished, request_started
from django.db import connection, transaction
from django.utils import timezone

from netbox_jobs.broker import delivery
from netbox_jobs.choices import JobStatusChoices
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, Schedule
from tests import nursery
from tests.app import views
from tests.app.jobs import Plain
from tests.app.models import Thing, UUIDThing
from tests.enqueue.unsaved_objects import assert_bound, assert_canceled, delivered, row
from tests.processes import environment, status, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


# Threads, requests, processes


def test_another_thread_may_save_the_object():
    thing = Thing()
    job = Plain.enqueue_once(instance=thing, interval=10)
    failures = []

    def save():
        try:
            thing.save()
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=save)
    thread.start()
    thread.join()
    assert not failures
    assert_bound(job, thing)


@pytest.fixture
def view(settings):
    """A view that enqueues for a new object, which it saves or not."""
    settings.ROOT_URLCONF = 'tests.app.views'
    views.kept.clear()
    return views


@pytest.mark.parametrize('atomic_requests', [False, True])
@pytest.mark.parametrize('keep', [False, True])
def test_a_request_that_saves_the_object(client, view, settings, atomic_requests, keep, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, 'ATOMIC_REQUESTS', atomic_requests)
    answer = client.get('/enqueue/', {'save': '1', 'keep': '1' if keep else ''})
    job = Job.objects.get(pk=int(answer.content))
    assert job.object == Thing.objects.get()
    assert delivered() == [job.delivery_id]


@pytest.mark.parametrize('atomic_requests', [False, True])
@pytest.mark.parametrize('keep', [False, True])
def test_a_request_that_never_saves_it(client, view, atomic_requests, keep, monkeypatch, caplog):
    monkeypatch.setitem(connection.settings_dict, 'ATOMIC_REQUESTS', atomic_requests)
    answer = client.get('/enqueue/', {'keep': '1' if keep else ''})
    job = Job.objects.get(pk=int(answer.content))
    end = 'transaction' if atomic_requests else 'request'
    assert_canceled(job, caplog, f'was not saved by the end of the {end}')


@pytest.mark.parametrize('atomic_requests', [False, True])
def test_a_request_that_fails(client, view, atomic_requests, monkeypatch, caplog):
    monkeypatch.setitem(connection.settings_dict, 'ATOMIC_REQUESTS', atomic_requests)
    client.raise_request_exception = False
    assert client.get('/enqueue/', {'fail': '1'}).status_code == 500
    assert [job.status for job in Job.objects.all()] == ([] if atomic_requests else ['canceled'])
    assert delivered() == []


def test_a_request_does_not_end_what_the_code_around_it_waits_for(client, view):
    thing = Thing()
    job = Plain.enqueue(instance=thing)
    client.get('/enqueue/', {'save': '1'})
    delivery.queue('default').empty()
    assert status(job) == 'pending'
    thing.save()
    assert_bound(job, thing)


def test_an_asynchronous_request_that_never_saves_it(caplog):
    """Django runs it in a task, so its end finds nothing in its context but knows that the object is gone."""

    async def view():
        return await Plain.aenqueue(instance=Thing())

    async def handle():
        await request_started.asend(sender=None)
        job = await asyncio.create_task(view())
        await request_finished.asend(sender=None)
        return job

    job = async_to_sync(handle)()
    assert_canceled(job, caplog, 'was not saved by the end of the request')


def test_an_asynchronous_caller_saves_it():
    async def call():
        thing = Thing()
        job = await Plain.aenqueue_once(instance=thing, interval=10)
        await asyncio.create_task(thing.asave())
        return thing, job

    thing, job = async_to_sync(call)()
    assert_bound(job, thing)


@pytest.mark.process
def test_p1_a_worker_never_runs_it_before_its_object_is_saved(start_worker):
    start_worker()
    with transaction.atomic():
        inside = Thing()
        first = Plain.enqueue_once(instance=inside)
        inside.save()
        second = Plain.enqueue(instance=inside)
    outside = [UUIDThing() for _ in range(4)]
    others = [Plain.enqueue(instance=thing) for thing in outside]
    assert {status(job) for job in others} == {'pending'}
    for thing in outside:
        thing.save()
    jobs = (first, second, *others)
    wait_for(lambda: all(status(job) in JobStatusChoices.TERMINAL_STATE_CHOICES for job in jobs))
    for job in jobs:
        found = row(job)
        assert found.status == 'completed', found.error
        assert found.object is not None


KILLED = """
import os, signal
import django
django.setup()
from contextlib import nullcontext
from django.db import transaction
from tests.app.jobs import Plain
from tests.app.models import Thing
with transaction.atomic() if {atomic} else nullcontext():
    thing = Thing()
    Plain.enqueue_once(instance=thing, interval=10)
    os.kill(os.getpid(), signal.SIGKILL)
    thing.save()
"""


@pytest.mark.process
@pytest.mark.parametrize('atomic', [False, True])
def test_p1_a_process_is_killed_between_the_two_writes(atomic, caplog):
    killed = nursery.run(['-c', KILLED.format(atomic=atomic)], environment())
    assert killed.returncode == -signal.SIGKILL
    assert not Thing.objects.exists()
    if atomic:
        assert not Job.objects.exists()
        assert not Schedule.objects.exists()
        return
    job = Job.objects.get()
    recovery.settle_dependents()
    assert (status(job), delivered()) == ('pending', [])
    Job.objects.update(created=timezone.now() - timedelta(minutes=61))
    recovery.settle_dependents()
    assert_canceled(job, caplog, 'its object was not saved')

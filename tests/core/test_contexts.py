"""A context travels with a job from the call to the run, whichever process runs it."""

from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.utils import timezone

from netbox_jobs.context import JobContext
from netbox_jobs.core import contexts
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job
from netbox_jobs.signals import job_end, job_start
from tests.app.contexts import House, Word, house, setting, word
from tests.app.jobs import Plain
from tests.app.models import Thing
from tests.core.context_settings import Heard, configure, data, run_due

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures('two_contexts')]


def test_the_classes_of_the_tests_fit_the_protocol():
    found: list[JobContext] = [Word(), House()]
    assert all(isinstance(context, JobContext) for context in found)


def test_a_job_runs_in_what_it_was_enqueued_in(work):
    with setting(word, 'a'):
        first = Heard.enqueue()
        many = Heard.enqueue_many([{}, {}])
        once = Heard.enqueue_once()
    with setting(word, 'b'):
        last = Heard.enqueue()
        work()
        assert word.get() == 'b'
    assert [data(job) for job in (first, *many, once, last)] == [['a'], ['a'], ['a'], ['a'], ['b']]
    assert Job.objects.get(pk=first.pk).context == {'word': 'a'}


def test_without_a_value_nothing_is_stored_and_nothing_restored(work):
    job = Heard.enqueue()
    assert job.context == {}
    with setting(word, 'of the worker'):
        work()
    assert data(job) == ['of the worker']


def test_a_retried_attempt_and_a_retry_by_hand_run_in_it(work):
    with setting(word, 'a'):
        job = Heard.enqueue(fail=True)
    work()
    run_due(work)
    assert data(job) == ['a', 'a']
    with setting(word, 'admin'):
        again = Job.objects.get(pk=job.pk).retry()
    work()
    assert data(again) == ['a'] or data(again) is None
    assert again.context == {'word': 'a'}


def test_a_dependent_job_and_a_successor_run_in_it(work):
    with setting(word, 'a'):
        before = Heard.enqueue()
        after = Heard.enqueue(depends_on=before)
        periodic = Heard.enqueue(interval=60)
    work()
    work()
    successor = Job.objects.get(predecessor=periodic)
    assert successor.context == {'word': 'a'}
    run_due(work)
    assert data(after) == data(successor) == ['a']


class Asking(JobRunner):
    """Looks where it is when it enqueues."""

    seen: list

    @classmethod
    def enqueue(cls, *args, **kwargs):
        Asking.seen.append(word.get())
        return super().enqueue(*args, **kwargs)

    def run(self, **kwargs):
        pass


def test_the_enqueue_of_a_runner_makes_the_successor_in_it_also_when_recovery_ends_the_job():
    Asking.seen = []
    with setting(word, 'a'):
        job = Asking.enqueue(interval=60)
    job.start()
    Job.objects.get(pk=job.pk).terminate('errored')
    assert Asking.seen == ['a', 'a']
    assert Job.objects.get(predecessor=job).context == {'word': 'a'}


def test_the_arguments_are_decoded_in_it(work, monkeypatch):
    from netbox_jobs.core import arguments

    seen = []
    monkeypatch.setattr(
        arguments, '_fetch', lambda *reference, fetch=arguments._fetch: (seen.append(word.get()), fetch(*reference))[1]
    )
    with setting(word, 'a'):
        Plain.enqueue(thing=Thing.objects.create())
    work()
    assert seen == ['a']


def test_receivers_of_signals_are_called_in_it(work):
    seen = []

    def note(sender, **kwargs):
        seen.append((sender.status, word.get()))

    for signal in (job_start, job_end):
        signal.connect(note)
    try:
        with setting(word, 'a'):
            Heard.enqueue()
            canceled = Heard.enqueue(schedule_at=timezone.now() + timedelta(hours=1))
        work()
        canceled.cancel()
    finally:
        for signal in (job_start, job_end):
            signal.disconnect(note)
    assert seen == [('running', 'a'), ('completed', 'a'), ('canceled', 'a')]


def test_enqueue_once_takes_over_the_context_of_a_call_that_changes_the_job(work):
    with setting(word, 'a'):
        job = Heard.enqueue_once()
    with setting(word, 'b'):
        Heard.enqueue_once()
    assert Job.objects.get(pk=job.pk).context == {'word': 'a'}
    with setting(word, 'c'):
        Heard.enqueue_once(notifications='never')
    assert Job.objects.get(pk=job.pk).context == {'word': 'c'}
    work()
    assert data(job) == ['c']


def test_objects_of_two_tenants_are_two_objects():
    thing = Thing.objects.create()
    with setting(house, 'a'):
        first = Heard.enqueue_once(instance=thing, interval=60)
        assert Heard.enqueue_once(instance=thing).pk == first.pk
    with setting(house, 'b'):
        second = Heard.enqueue_once(instance=thing, interval=60)
        assert list(Heard.get_jobs(thing)) == [second]
        assert Heard.end_schedule(thing)
    assert first.pk != second.pk and first.tenant == 'a'
    assert list(Job.objects.all()) == [first]
    with setting(house, 'a'):
        assert list(Heard.get_jobs(thing)) == [first]


def test_in_the_schema_of_a_tenant_which_nothing_carries_nothing_is_enqueued(settings, monkeypatch):
    monkeypatch.setattr(connections['default'], 'schema_name', 'acme', raising=False)
    configure(settings, 'Word')
    with pytest.raises(ImproperlyConfigured, match=r"schema 'acme'.*TenantSchema"):
        Heard.enqueue()
    configure(settings, 'House')
    assert Heard.enqueue().pk
    configure(settings)
    monkeypatch.setattr(connections['default'], 'schema_name', 'public')
    assert Heard.enqueue().pk


def test_the_context_of_a_call_is_captured_once(monkeypatch):
    calls = []
    monkeypatch.setattr(Word, 'capture', lambda self: calls.append(1) or 'a')
    Heard.enqueue_many([{}, {}, {}])
    assert len(calls) == 1


def test_a_job_that_runs_in_the_transaction_of_its_caller_restores_its_own(settings, work):
    settings.RQ_QUEUES = {**settings.RQ_QUEUES, 'default': {**settings.RQ_QUEUES['default'], 'ASYNC': False}}
    with setting(word, 'a'):
        assert data(Heard.enqueue()) == ['a']
        assert data(Heard.enqueue(immediate=True)) == ['a']


def test_nothing_is_restored_twice(work, monkeypatch):
    calls = []
    for signal in (job_start, job_end):  # whose receivers, if there are any, are called in the context as well
        monkeypatch.setattr(signal, 'receivers', [])
    restore = Word.restore
    monkeypatch.setattr(Word, 'restore', lambda self, value: calls.append(value) or restore(self, value))
    with setting(word, 'a'):
        Heard.enqueue(interval=60)
    work()
    assert calls == ['a']
    assert contexts._restored.get() is None

"""`self.rate()`: calls of an API keep to a rate, exactly, over all workers."""

import threading
import time
from unittest.mock import MagicMock

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections, transaction
from django.db.models.signals import post_save
from django.test import override_settings

from netbox_jobs.core import runs
from netbox_jobs.exceptions import JobCanceled, RateExceeded
from netbox_jobs.models import Job, RateStart
from netbox_jobs.testing import run_jobs
from tests.app.rated import Calling, CallingAsync
from tests.dying import at_each_statement
from tests.processes import status
from tests.windows import most_within

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures('settings_of_rates'),
]


@pytest.fixture
def settings_of_rates():
    known = {'api': {'most': 3, 'per': 0.4}, 'slow': {'most': 2, 'per': 3600}}
    with override_settings(NETBOX_JOBS={'RATES': known}):
        yield


@pytest.fixture
def made():
    """When the calls were let through, in milliseconds."""
    found: list[int] = []

    def note(instance, **kwargs):
        found.append(instance.until)

    post_save.connect(note, sender=RateStart)
    yield found
    post_save.disconnect(note, sender=RateStart)


def test_p10_calls_of_one_run_keep_to_the_rate(made):
    job = Calling.enqueue(immediate=True, calls=8)
    assert (job.status, job.data) == ('completed', 'called')
    assert len(made) == 8 and most_within(400, made) == 3
    assert 'Waiting' in job.log_entries[0]['message']


def test_p10_calls_of_many_processes_keep_to_one_rate(made):
    barrier, found = threading.Barrier(4), []

    def call():
        try:
            barrier.wait(60)
            found.append(Calling.enqueue(immediate=True, calls=3).status)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert found == ['completed'] * 4
    assert len(made) == 12 and most_within(400, made) <= 3


def test_each_key_counts_alone_and_without_room_within_the_timeout_an_error_comes_at_once():
    for key in (None, 'a', 'b'):
        assert Calling.enqueue(immediate=True, calls=2, rate='slow', key=key, timeout=0).status == 'completed'
    begun = time.monotonic()
    job = Calling.enqueue(immediate=True, rate='slow', key='a', timeout=600)
    assert job.status == 'errored'
    assert 'The rate slow a has no room for the next 3' in job.error and 'RateExceeded' in job.error
    assert time.monotonic() - begun < 300
    assert issubclass(RateExceeded, TimeoutError)


def test_p10_a_call_that_was_made_counts_although_its_transaction_is_rolled_back():
    job = Calling.enqueue(immediate=True, calls=2, rate='slow', rolled_back=True, timeout=0)
    assert job.status == 'completed'
    # On SQLite, the transaction of run() is the only writer.
    assert RateStart.objects.count() == (0 if connection.vendor == 'sqlite' else 2)


def test_p10_a_process_that_dies_at_any_statement_makes_no_call_too_many():
    job = Calling.enqueue(immediate=True, calls=0)
    run = MagicMock(job=job, owns_connection=True, stopping=False)
    with runs.running(run):
        for _number in at_each_statement(lambda: Calling(job).rate('slow').acquire(timeout=0)):
            if RateStart.objects.count() == 2:
                with pytest.raises(RateExceeded):
                    Calling(job).rate('slow').acquire(timeout=0)
        assert RateStart.objects.count() in (1, 2)


def test_a_stop_ends_the_wait():
    Calling.enqueue(immediate=True, calls=2, rate='slow')
    job = Calling.enqueue(immediate=True, calls=0)
    with runs.running(MagicMock(job=job, owns_connection=True, stopping=True)), pytest.raises(JobCanceled):
        Calling(job).rate('slow').acquire()


def test_calls_of_a_coroutine(made):
    assert CallingAsync.enqueue(immediate=True, calls=5).data == 'called'
    assert most_within(400, made) == 3
    job = CallingAsync.enqueue()
    run_jobs()
    assert status(job) == 'completed'


def test_without_a_run_nothing_is_counted_and_a_rate_that_is_not_configured_is_named():
    Calling(MagicMock(spec=Job)).run(calls=20, rate='slow')
    assert not RateStart.objects.exists()
    with pytest.raises(ImproperlyConfigured, match="no rate 'appi'"):
        Calling(MagicMock()).rate('appi')


def test_within_the_transaction_of_a_test_a_call_is_a_part_of_it():
    with pytest.raises(LookupError), transaction.atomic():
        assert Calling.enqueue(immediate=True, calls=2, rate='slow').status == 'completed'
        raise LookupError
    assert not RateStart.objects.exists()

"""P5 and P4 in projects with stricter isolation: what is ours to retry is retried; the caller's stays the caller's."""

import sqlite3
import threading
from typing import ClassVar

import pytest
from django.db import OperationalError, connection, connections, transaction

from netbox_jobs.core import transactions
from netbox_jobs.lifecycle import claim
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Plain
from tests.app.models import Thing

pytestmark = pytest.mark.django_db(transaction=True)
LEVELS = ['REPEATABLE READ', 'SERIALIZABLE']


@pytest.fixture(params=LEVELS)
def isolation(request, monkeypatch):
    """The isolation level of all sessions that are opened from now on."""
    level = request.param.lower()
    if connection.vendor == 'postgresql':
        from psycopg import IsolationLevel

        level = IsolationLevel[request.param.replace(' ', '_')]
    connections.close_all()
    monkeypatch.setitem(connection.settings_dict['OPTIONS'], 'isolation_level', level)
    yield request.param
    connections.close_all()


def actual_isolation():
    sql = 'SHOW transaction_isolation' if connection.vendor == 'postgresql' else 'SELECT @@tx_isolation'
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0].upper().replace('-', ' ')


def in_threads(number, act):
    """What `act(n)` raised in each of so many threads."""
    errors = []
    barrier = threading.Barrier(number)

    def run(n):
        try:
            barrier.wait(60)
            act(n)
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    return errors


def test_p5_concurrent_enqueue_once_of_one_key_makes_one_job_and_fails_no_caller(isolation):
    assert actual_isolation() == isolation

    def act(n):
        for number in range(10):
            Plain.enqueue_once(interval=number + 1, n=n)

    assert in_threads(16, act) == []
    assert (Job.objects.count(), Schedule.objects.count()) == (1, 1)


def test_actions_and_ends_beside_each_other_fail_no_caller(isolation):
    jobs = [Plain.enqueue_once(instance=Thing.objects.create(), interval=5) for _ in range(4)]

    def act(n):
        schedule = Schedule.objects.get(pk=jobs[n % 4].schedule_id)
        for number in range(5):
            schedule.change(interval=number + 6)
            schedule.pause()
            schedule.resume()
            schedule.run_now()
            job = schedule.current_job()
            if job is None:  # an end has left its successor to recovery, as the schedule was locked
                recovery.settle_dependents()
                continue
            if n % 2 and (held := claim.claim(str(job.job_id), f'{n}', 'default')):
                held.terminate()
            else:
                job.cancel()

    assert in_threads(8, act) == []
    recovery.settle_dependents()
    assert Job.objects.waiting().count() == 4
    assert Job.objects.waiting().values('slot').distinct().count() == 4


@pytest.mark.parametrize('kind', ['one', 'many', 'by an actor'])
def test_p7_callers_that_delete_the_same_jobs_at_once_fail_nothing(isolation, kind, django_user_model):
    user = django_user_model.objects.create()
    for _ in range(10):
        job = Plain.enqueue_once(instance=Thing.objects.create(), interval=5)

        def act(n, job=job):
            if kind == 'many':
                Job.objects.filter(pk=job.pk).delete()
            else:
                Job.objects.get(pk=job.pk).delete(**({'user': user} if kind == 'by an actor' else {}))

        errors = in_threads(6, act)
        assert [error for error in errors if not isinstance(error, Job.DoesNotExist)] == []  # that of the get()
    assert not Job.objects.exists() and not Schedule.objects.exists()


def test_the_isolation_of_the_caller_stays_as_it_is(isolation):
    Plain.enqueue_once(interval=5)
    assert actual_isolation() == isolation
    with transaction.atomic():
        Plain.enqueue_once(interval=6)
        assert actual_isolation() == isolation


def test_a_conflict_of_the_callers_transaction_is_raised_at_once():
    calls = []

    def conflict():
        calls.append(1)
        error = OperationalError('could not serialize')
        error.__cause__ = OperationalError(1213, 'deadlock')
        raise error

    with pytest.raises(OperationalError), transaction.atomic():
        transactions.retried(conflict, 'default')
    assert len(calls) == 1
    with pytest.raises(OperationalError):
        transactions.retried(conflict, 'default')
    assert len(calls) == 1 + transactions.TRIES


class Losing(Plain):
    """Its `enqueue()` loses the first conflict with another transaction, which ends the transaction."""

    class Meta:
        name = 'Losing'

    calls: ClassVar[list[int]] = []

    @classmethod
    def enqueue(cls, **kwargs):
        cls.calls.append(1)
        if len(cls.calls) == 2:
            error = OperationalError('could not serialize')
            error.__cause__ = OperationalError(1213, 'deadlock')
            raise error
        return super().enqueue(**kwargs)


@pytest.mark.parametrize('end', ['work', 'terminate'])
def test_an_end_whose_successor_meets_a_conflict_is_written_again_with_it(work, end, caplog):
    Losing.calls.clear()
    job = Losing.enqueue(interval=5)
    if end == 'work':
        work()
    else:
        claim.claim(str(job.job_id), 'one', 'default').terminate()
    assert Job.objects.get(pk=job.pk).status == 'completed'
    assert len(Losing.calls) == 3
    assert Job.objects.get(predecessor=job).status == 'scheduled'
    assert 'the row is copied' not in caplog.text


@pytest.mark.parametrize(('code', 'calls'), [(sqlite3.SQLITE_BUSY, 3), (sqlite3.SQLITE_READONLY, 1)])
def test_a_call_that_had_no_turn_on_sqlite_waits_for_it_again(code, calls):
    made = []

    def locked():
        made.append(1)
        cause = sqlite3.OperationalError('database is locked')
        cause.sqlite_errorcode = code
        raise OperationalError('database is locked') from cause

    with pytest.raises(OperationalError):
        transactions.again(locked, 'default')
    assert len(made) == calls


def test_deadlocks_of_single_calls_are_tried_again():
    """Two actions on the same rows in opposite order, each the only thing that its caller does."""
    jobs = [Plain.enqueue_once(instance=Thing.objects.create(), interval=5) for _ in range(2)]
    schedules = [job.schedule_id for job in jobs]

    def act(n):
        order = schedules if n % 2 else schedules[::-1]
        for _ in range(10):
            transactions.retried(
                lambda: [Schedule.objects.filter(pk=pk).update(name=str(n)) for pk in order], 'default'
            )

    assert in_threads(4, act) == []

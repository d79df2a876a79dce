"""P10: `Meta.debounce` and `Meta.throttle` are exact: under many callers, whatever dies, on every database."""

import threading
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.utils import timezone

from netbox_jobs.core import clock
from netbox_jobs.jobs import Debounce, JobRunner, Throttle, Unique
from netbox_jobs.lifecycle import claim
from netbox_jobs.models import Job
from netbox_jobs.testing import run_jobs
from tests.app.debounced import Debounced, DebouncedPages, ThrottledPages
from tests.app.jobs import Plain
from tests.app.models import Thing
from tests.dying import at_each_statement
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def reloaded(job):
    return Job.objects.get(pk=job.pk)


def test_the_last_call_within_the_time_runs_alone_with_what_it_asks_for(django_user_model):
    user = django_user_model.objects.create(username='ann')
    first = Debounced.enqueue(page=1)
    assert (first.status, first.deliveries) == ('scheduled', 0)
    last = Debounced.enqueue(page=2, user=user, name='Another', queue_name='low')
    assert last == first and Job.objects.count() == 1
    run_jobs(until=timedelta(minutes=9))
    assert status(first) == 'scheduled'
    run_jobs(until=timedelta(minutes=11))
    now = reloaded(first)
    assert (now.status, now.data, now.user_id, now.name, now.queue_name) == ('completed', 2, user.pk, 'Another', 'low')
    assert Debounced.enqueue(page=3) != first


def test_calls_put_the_job_off_and_at_most_so_long():
    job = Debounced.enqueue(page=0)
    due = [job.due]
    for minutes in (0, 5, 20):
        Job.objects.filter(pk=job.pk).update(created=timezone.now() - timedelta(minutes=minutes))
        due.append(Debounced.enqueue(page=minutes).due)
    minute = 60_000
    assert due[1] >= due[0] and due[2] >= due[1]
    assert due[3] < due[0] - 4 * minute  # 25 minutes after the first call
    assert (Job.objects.count(), reloaded(job).get_arguments()) == (1, {'page': 20})


def test_others_are_not_the_same():
    thing = Thing.objects.create()
    assert len({Debounced.enqueue(page=1), Debounced.enqueue(page=1, instance=thing)}) == 2
    assert len({DebouncedPages.enqueue(page=page) for page in (1, 2, 1)}) == 2


@pytest.mark.parametrize('how', ['due', 'delivered', 'running', 'canceled', 'deleted'])
def test_a_job_whose_time_has_come_or_that_has_ended_is_left_alone(how):
    job = Debounced.enqueue(page=1)
    if how == 'due':
        Job.objects.filter(pk=job.pk).update(due=1)
    elif how == 'canceled':
        job.cancel()
    elif how == 'deleted':
        job.delete()
    else:
        Job.objects.filter(pk=job.pk).update(status='pending', due=1, deliveries=1)
    if how == 'running':
        claim.claim(str(job.job_id), 'one', 'default')
    before = Job.objects.filter(job_id=job.job_id).values().first()
    new = Debounced.enqueue(page=2)
    assert new.job_id != job.job_id and (new.due or 0) > 1
    assert Job.objects.filter(job_id=job.job_id).values().first() == before
    assert Debounced.enqueue(page=3) == new


def test_a_call_that_rolls_back_changes_nothing():
    job = Debounced.enqueue(page=1)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        Debounced.enqueue(page=2)
        raise ZeroDivisionError
    assert reloaded(job).get_arguments() == {'page': 1}


@pytest.mark.parametrize('runner', [DebouncedPages, ThrottledPages])
def test_p10_of_many_callers_one_job_is_stored_and_the_last_call_or_the_first_is_the_one_that_counts(runner):
    callers, calls, made = 4, 6, {}

    def call(caller):
        try:
            for number in range(calls):
                for page in (1, 2):
                    job = runner.enqueue(page=page, call=caller * 100 + number)
                    made.setdefault(page, set()).add(job.pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {page: len(keys) for page, keys in made.items()} == {1: 1, 2: 1}
    assert Job.objects.count() == 2
    for job in Job.objects.all():
        number = job.get_arguments()['call'] % 100
        assert number == (calls - 1 if runner is DebouncedPages else 0)


def test_killed_at_any_statement_of_a_call_there_is_one_job_with_whole_arguments():
    job = Debounced.enqueue(page=1)
    for _number in at_each_statement(lambda: Debounced.enqueue(page=2)):
        assert Job.objects.count() == 1
        assert reloaded(job).get_arguments() in ({'page': 1}, {'page': 2})
    assert reloaded(job).get_arguments() == {'page': 2}
    run_jobs(until=timedelta(hours=1))
    assert reloaded(job).data == 2


def test_a_retry_by_hand_and_an_immediate_job_are_not_put_off():
    job = Debounced.enqueue(page=1)
    run_jobs(until=timedelta(hours=1))
    assert job.pk != (new := reloaded(job).retry()).pk
    assert new.status == 'pending'
    assert Debounced.enqueue(page=2, immediate=True).status == 'completed'


@pytest.mark.parametrize(
    'given', [{'interval': 5}, {'cron': '* * * * *'}, {'schedule_at': timezone.now()}, {'instance': Thing()}]
)
def test_what_decides_on_the_time_as_well_is_refused(given):
    with pytest.raises(ValueError, match='debounce decides'):
        Debounced.enqueue(**given)
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        ({'debounce': timedelta(1)}, 'expected a Debounce'),
        ({'throttle': Unique()}, 'expected a Throttle'),
        ({'debounce': Debounce(timedelta(1), by=('arguments.page',))}, 'no argument of run'),
        ({'debounce': Debounce(timedelta(1)), 'unique': Unique()}, 'exclude each other'),
    ],
)
def test_what_meta_says_is_checked(options, said):
    with pytest.raises(ImproperlyConfigured, match=said):
        type('WrongDebounce', (JobRunner,), {'Meta': type('Meta', (), options), 'run': lambda self: None})


@pytest.mark.parametrize(
    'make',
    [
        lambda: Debounce(5),
        lambda: Debounce(timedelta()),
        lambda: Debounce(timedelta(2), at_most=timedelta(1)),
        lambda: Throttle(timedelta(1), by='page'),
        lambda: Throttle(timedelta.max),
    ],
)
def test_what_cannot_be_meant_is_refused(make):
    with pytest.raises(ValueError, match='expected'):
        make()


def test_a_call_can_be_debounced_or_throttled_whatever_its_runner_says():
    late = Plain.using(debounce=Debounce(timedelta(minutes=5)))
    first, last = late.enqueue(name='first'), late.enqueue(name='last')
    assert last == first
    assert last.due is not None and last.due > clock.now_ms() + 200_000
    assert last.get_arguments()['name'] == 'last'
    assert Plain.enqueue(name='other') != first
    rare = Plain.using(throttle=Throttle(timedelta(minutes=5), by=('arguments.page',)))
    assert rare.enqueue(page=1, word='a') == rare.enqueue(page=1, word='b') != rare.enqueue(page=2)
    again = Throttle(timedelta(minutes=5), by=('arguments.page',))
    assert Plain.enqueue(throttle=again, page=1) == rare.enqueue(page=1)


@pytest.mark.parametrize(
    ('given', 'said'),
    [
        ({'debounce': 5}, 'debounce is 5; expected a Debounce'),
        ({'throttle': Debounce(timedelta(1))}, 'throttle is Debounce'),
        ({'debounce': Debounce(timedelta(1)), 'throttle': Throttle(timedelta(1))}, 'exclude each other'),
        ({'debounce': Debounce(timedelta(1)), 'interval': 5}, 'debounce decides'),
    ],
)
def test_what_a_call_says_is_checked(given, said):
    with pytest.raises(ValueError, match=said):
        Plain.enqueue(**given)


def test_debounce_and_throttle_may_be_names_of_arguments():
    job = Named.enqueue(debounce=3, throttle='x')
    assert job.get_arguments() == {'debounce': 3, 'throttle': 'x'}


class Named(JobRunner):
    def run(self, debounce, throttle):
        pass

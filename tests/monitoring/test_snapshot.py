"""The snapshot: queues, workers and running jobs, schedules, and the last day."""

from datetime import timedelta

import pytest
from django.utils import timezone

from netbox_jobs.models import Job, PausedQueue, Progress, Schedule, Worker
from netbox_jobs.monitoring import queues, snapshot, workers
from netbox_jobs.monitoring.schedules import schedule_states
from tests.app.jobs import Plain

pytestmark = pytest.mark.django_db(transaction=True)


def make(status='completed', **values):
    now = timezone.now()
    if status in ('completed', 'failed', 'errored', 'canceled'):
        values = {'started': now, 'completed': now, 'execution_time': timedelta(seconds=2), 'attempt': 1, **values}
    values = {'name': 'Job of a test', 'runner': 'tests.app.jobs.Plain', 'queue_name': 'default', 'due': 1, **values}
    return Job.objects.create(status=status, **values)


def states():
    return {state.name: state for state in snapshot.take().queues}


def test_the_last_day_is_added_up():
    now = timezone.now()
    make('failed', queue_name='low', created=now - timedelta(seconds=10), started=now - timedelta(seconds=4))
    make('completed', queue_name='low', execution_time=timedelta(seconds=8), started=now)
    make('completed', completed=now - timedelta(days=3))
    make('pending', queue_name='high')
    Worker.objects.create(token='w', name='w', host='h', pid=1, queues='high low')
    taken = snapshot.take()
    assert (taken.day.total.count, taken.day.total.failed, taken.day.failed) == (2, 1, {'low': 1})
    assert taken.day.total.runs.percentile(95) > timedelta(seconds=7) and taken.day.total.waits.count == 2
    ((runner, tally),) = taken.day.most_failing_runners()
    assert runner == 'tests.app.jobs.Plain' and tally.failure_rate == 50
    assert sum(tally.count for tally in taken.day.hours.values()) == 2 and len(taken.day.hours) == 24
    found = {state.name: state for state in taken.queues}
    assert (found['high'].waiting, found['high'].workers, found['low'].failed) == (1, 1, 1)
    assert found['default'].unserved and not found['high'].unserved and found['high'].oldest is not None


def test_numbers_of_jobs_end_at_the_limit():
    for number in range(5):
        make('pending', queue_name='low')
        make('scheduled', queue_name='low', due=10**15 + number)
    (low,) = [state for state in queues.queue_states(limit=3) if state.name == 'low']
    assert (low.waiting, low.scheduled, low.running) == (4, 4, 0)


def test_queues_stand_in_the_order_of_priority_and_others_follow_if_they_are_used():
    make('pending', queue_name='gone')
    make('completed', queue_name='quiet')
    make('failed', queue_name='bad')
    PausedQueue.objects.create(name='halted')
    found = states()
    assert list(found)[:3] == ['high', 'default', 'low']
    assert list(found)[-3:] == ['bad', 'gone', 'halted']
    assert [found[name].configured for name in ('low', 'gone')] == [True, False]
    assert [found[name].state for name in ('halted', 'gone')] == ['paused', 'no_worker']
    Worker.objects.create(token='w', name='w', host='h', pid=1, queues='gone')
    assert states()['gone'].state == 'active'


def test_the_oldest_job_counts_from_when_it_could_have_run():
    make('pending', queue_name='low', due=None)  # waits for other jobs
    assert states()['low'].oldest_age is None
    job = Plain.enqueue(queue_name='low')
    Job.objects.filter(pk=job.pk).update(due=job.due - 150_000)
    assert timedelta(seconds=150) <= states()['low'].oldest_age < timedelta(seconds=200)


def test_a_worker_whose_heartbeat_stands_still_is_silent_and_serves_no_queue(monkeypatch):
    worker = Worker.objects.create(token='w', name='w', host='h', pid=1, queues='default')
    workers.worker_states()
    assert states()['default'].workers == 1
    later = workers.time.monotonic() + 31
    monkeypatch.setattr(workers.time, 'monotonic', lambda: later)
    assert workers.worker_states()[0].silent > 30
    assert states()['default'].unserved
    Worker.objects.filter(pk=worker.pk).update(beats=1)
    assert workers.worker_states()[0].silent is None


def test_workers_have_their_jobs_and_the_jobs_of_no_known_worker_come_last():
    Worker.objects.create(token='w', name='w', host='h', pid=1, queues='high,low')
    own, lost, immediate = (make('running', worker=token, attempt=2) for token in ('w', 'gone', None))
    Progress.objects.create(job=own, attempt=2, current=1, total=4)
    Progress.objects.create(job=lost, attempt=1, current=3, total=4)  # of an earlier attempt
    known, others = workers.worker_states()
    assert (known.queues, [(each.job, each.progress.percent) for each in known.jobs]) == (['high', 'low'], [(own, 25)])
    assert (others.worker, others.queues) == (None, [])
    assert [(each.job, each.progress) for each in others.jobs] == [(lost, None), (immediate, None)]


def test_a_schedule_has_a_state_and_its_next_run():
    schedule = Plain.enqueue_once(interval=60, schedule_at=timezone.now() + timedelta(hours=1)).schedule

    def state():
        (found,) = schedule_states(Schedule.objects.filter(pk=schedule.pk))
        return found.state, found.next_run

    due = schedule.next_run
    assert state() == ('active', due)
    make('running', schedule=schedule)
    assert state() == ('running', due)
    schedule.pause()
    assert state() == ('paused', None)
    Schedule.objects.filter(pk=schedule.pk).update(suspended='its runner is gone')
    assert state() == ('suspended', None)


def test_a_snapshot_takes_the_same_few_queries_however_many_jobs_there_are(django_assert_num_queries):
    for number in range(3):
        for queue in ('high', 'default', 'low'):
            Plain.enqueue(queue_name=queue).start()
            Plain.enqueue(queue_name=queue)
            Worker.objects.create(token=f'{number}{queue}', name='w', host='h', pid=1, queues=queue)
        with django_assert_num_queries(11):
            taken = snapshot.take()
        assert len(taken.workers[-1].jobs) == 3 * (number + 1)

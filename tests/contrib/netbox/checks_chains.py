"""The plugin's jobs that keep their own schedules and rows, run in this process."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from netbox_jobs.choices import JobStatusChoices
from netbox_jobs.models import Job
from netbox_jobs.testing import run_jobs
from tests.contrib.netbox.inventory.jobs import ChainJob, PinnedJob, TimerJob
from tests.contrib.netbox.inventory.jobs.chain import live
from tests.contrib.netbox.inventory.models import Device

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def settings_of_the_plugin():
    before = dict(live)
    yield
    live.update(before)


def fresh(job):
    return Job.objects.get(pk=job.pk)


def test_a_chain_takes_its_interval_queue_and_limit_from_the_plugin_at_each_occurrence():
    job = ChainJob.enqueue(devices=['a'])
    assert (job.interval, job.queue_name, job.job_timeout) == (30, 'low', 120)
    live.update(interval=10, queue='high', timeout=60)
    run_jobs()
    following = ChainJob.get_jobs().waiting().get()
    assert (following.interval, following.queue_name, following.job_timeout) == (10, 'low', 120)
    assert fresh(job).log_entries[0]['message'] == "Read with ['devices']"


def test_an_interval_of_none_enqueues_one_job_beside_the_chain():
    ChainJob.enqueue_once(schedule_at=timezone.now() + timedelta(hours=1), interval=live['interval'])
    job = ChainJob.enqueue(interval=None)
    assert job.interval is None
    run_jobs()
    assert fresh(job).status == 'completed'
    assert ChainJob.get_jobs().waiting().get().status == 'scheduled'


def test_duplicate_chains_converge_to_one():
    later = timezone.now() + timedelta(hours=1)
    for hours in (1, 2, 3):
        ChainJob.enqueue(schedule_at=timezone.now() + timedelta(hours=hours))
    ChainJob.converge(schedule_at=later, interval=live['interval'])
    ChainJob.converge(schedule_at=later, interval=live['interval'])
    assert ChainJob.get_jobs().waiting().count() <= 2
    run_jobs(until=timedelta(hours=1, minutes=1))
    assert ChainJob.get_jobs().waiting().count() == 1
    assert ChainJob.get_jobs().ended().count() >= 1


def test_a_timer_that_its_handle_drains_has_no_further_occurrence():
    job = TimerJob.enqueue_once(interval=1)
    run_jobs()
    assert fresh(job).data == {'suppressed': False}
    live['automatic'] = False
    (drained,) = run_jobs(until=timedelta(minutes=5))
    assert (drained.status, drained.data) == ('completed', {'suppressed': True})
    assert not TimerJob.get_jobs().waiting().exists()
    assert not TimerJob.get_jobs().filter(created__gt=drained.completed).exists()


def test_a_worker_starts_a_drained_timer_again():
    live['automatic'] = False
    TimerJob.enqueue_once(interval=1)
    run_jobs()
    live['automatic'] = True
    again = TimerJob.enqueue_once(interval=1)
    run_jobs()
    assert fresh(again).data == {'suppressed': False}
    assert TimerJob.get_jobs().waiting().get().interval == 1


def test_a_job_is_found_by_what_its_enqueue_saved_on_it():
    job = PinnedJob.enqueue(pin='r1')
    assert PinnedJob.enqueue(pin='r1') == job
    assert PinnedJob.enqueue(pin='r2') != job
    run_jobs()
    assert fresh(job).data == {'pin': 'r1', 'job_class': 'PinnedJob', 'owner': 'rq_job', 'output': 'r1'}


def test_a_row_that_the_plugin_inserts_is_run_by_its_handle():
    device = Device.objects.create(name='switch')
    user = get_user_model().objects.create(username='u')
    job = PinnedJob.run_now(device, user, pin='r1')
    assert (fresh(job).status, fresh(job).object, fresh(job).user) == ('completed', device, user)
    assert fresh(job).data == {'pin': 'r1', 'owner': 'rq_job', 'output': 'r1'}


def test_a_row_that_the_plugin_inserts_is_run_by_an_entry_of_its_own_in_rq(work):
    job = PinnedJob.run_queued(pin='r1')
    work()
    assert (fresh(job).status, fresh(job).data) == ('completed', {'owner': 'rq_job', 'output': 'r1'})
    assert fresh(job).attempt == 1


def test_an_interrupted_run_of_such_a_row_ends():
    device = Device.objects.create(name='switch')
    with pytest.raises(KeyboardInterrupt):
        PinnedJob.run_now(device, None, pin='stop')
    job = Job.objects.get(name=PinnedJob.name, object_id=device.pk)
    assert (job.status, job.error) == ('errored', 'KeyboardInterrupt()')


@pytest.mark.parametrize('status', ['pending', 'running'])
def test_a_page_of_the_plugin_that_sets_the_status_ends_the_job(status):
    job = PinnedJob.enqueue(pin='r1')
    if status == 'running':
        job.start()
    page = fresh(job)
    page.status, page.completed = JobStatusChoices.STATUS_FAILED, timezone.now()
    page.save(update_fields=['status', 'completed'])
    assert run_jobs() == []
    assert (fresh(job).status, fresh(job).data['pin']) == ('failed', 'r1')


def test_a_page_of_the_plugin_that_updates_the_row_ends_the_job():
    job = PinnedJob.enqueue(pin='r1')
    Job.objects.filter(pk=job.pk, status__in=JobStatusChoices.ENQUEUED_STATE_CHOICES).update(
        status=JobStatusChoices.STATUS_ERRORED, completed=timezone.now(), error='lost', data={'phase': 'failed'}
    )
    assert run_jobs() == []
    assert (fresh(job).status, fresh(job).error, fresh(job).data) == ('errored', 'lost', {'phase': 'failed'})

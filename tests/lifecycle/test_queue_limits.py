"""P10: the limit of a queue that is set while workers run counts at once, whatever each process knew before."""

from itertools import pairwise

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from django.urls import reverse

from netbox_jobs.broker import delivery
from netbox_jobs.core.waits import WaitKind
from netbox_jobs.exceptions import UnknownQueue
from netbox_jobs.lifecycle import claim
from netbox_jobs.maintenance import recovery, slots
from netbox_jobs.models import Job, PausedQueue, QueueLimit
from netbox_jobs.monitoring import waiting
from netbox_jobs.monitoring.queues import queue_states
from netbox_jobs.testing import run_jobs
from tests.app.jobs import Plain, Quiet
from tests.app.limited import OfTenant
from tests.dying import at_each_statement
from tests.processes import status, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def take(job):
    return claim.claim(str(job.job_id), 'worker', 'default')


def a_second():
    slots.heed()
    recovery.deliver_due()
    slots.give_slots()


def with_slot():
    return Job.objects.filter(status__in=('pending', 'running'), held=False).count()


def test_p10_what_was_delivered_before_waits_and_what_runs_counts():
    running, other, third = (Plain.enqueue() for _ in range(3))
    running = take(running)
    QueueLimit.set('default', 1)
    assert take(other) is None and take(third) is None
    a_second()
    assert (status(other), status(third), other.due) == ('scheduled', 'scheduled', None)
    assert waiting.reason(Job.objects.get(pk=third.pk)).kind == WaitKind.LIMIT
    running.terminate()
    a_second()
    other = take(other)
    assert take(third) is None
    other.terminate()
    assert status(third) == 'pending', 'the end of a job gives its slot away at once'


def test_p10_a_job_that_another_process_delivers_without_a_slot_is_not_begun(work):
    QueueLimit.set('default', 1)
    first, second = Quiet.enqueue(), Quiet.enqueue()
    assert (status(first), status(second)) == ('pending', 'pending')
    assert take(first) is None and take(second) is None
    work()
    assert [status(job) for job in (first, second)] == ['completed', 'completed'], 'one after the other'


def test_p10_a_limit_can_be_raised_lowered_lifted_and_left_to_the_settings_again():
    jobs = Plain.enqueue_many([{}] * 6)
    QueueLimit.set('default', 1)
    a_second()
    assert with_slot() == 1
    QueueLimit.set('default', 3)
    a_second()
    assert with_slot() == 3
    running = take(Job.objects.filter(status='pending').first())
    QueueLimit.set('default', 2)
    a_second()
    assert with_slot() == 2 and status(running) == 'running'
    QueueLimit.set('default', None)
    a_second()
    assert with_slot() == 6
    with override_settings(NETBOX_JOBS={'QUEUES': {'default': {'concurrency': 4}}}):
        assert Plain.enqueue().held
        assert QueueLimit.reset('default') and not QueueLimit.reset('default')
        a_second()
        assert with_slot() == 4
    assert len(jobs) == 6


@override_settings(NETBOX_JOBS={'QUEUES': {'low': {'concurrency': 1}}})
def test_the_row_counts_instead_of_the_setting():
    QueueLimit.set('low', 2)
    jobs = [Plain.enqueue(queue_name='low') for _ in range(3)]
    assert [status(job) for job in jobs] == ['pending', 'pending', 'scheduled']
    QueueLimit.set('low', None)
    a_second()
    assert status(jobs[2]) == 'pending' and take(jobs[2])


def test_the_limit_of_a_runner_counts_as_well():
    first, second = OfTenant.enqueue(tenant='a'), OfTenant.enqueue(tenant='b')
    other = Plain.enqueue()
    QueueLimit.set('default', 2)
    for _ in range(2):
        a_second()
        assert with_slot() == 2
    jobs = [job for job in (first, second, other) if status(job) == 'pending']
    for job in jobs:
        take(job).terminate()
    a_second()
    assert Job.objects.filter(status='pending').count() == 1


@pytest.mark.parametrize('how', ['set', 'reset'])
def test_p10_killed_at_any_statement_a_limit_is_set_as_a_whole_or_not_at_all(how):
    def begin():
        Job.objects.all().delete()
        QueueLimit.objects.all().delete()
        delivery.queue('default').empty()
        if how == 'reset':
            QueueLimit.set('default', 1)
        Plain.enqueue_many([{}] * 4)
        a_second()

    begin()
    act = {'set': lambda: QueueLimit.set('default', 2), 'reset': lambda: QueueLimit.reset('default')}[how]
    for number in at_each_statement(act):
        row = QueueLimit.objects.filter(name='default').first()
        a_second()
        a_second()
        assert with_slot() == (4 if row is None else row.most), number
        begin()
    assert number >= 2


def test_tests_that_run_jobs_keep_to_the_limit():
    QueueLimit.set('default', 1)
    jobs = [Quiet.enqueue() for _ in range(4)]
    run_jobs()
    assert [status(job) for job in jobs] == ['completed'] * 4


@pytest.mark.process
def test_p10_workers_that_run_heed_a_limit_within_seconds(start_worker):
    worker = start_worker()
    first = Plain.enqueue()
    wait_for(lambda: status(first) == 'completed')
    QueueLimit.set('default', 1)
    jobs = Plain.enqueue_many([{}] * 6)
    start_worker()
    wait_for(lambda: Plain.get_jobs().filter(status='completed').count() == 7, 90, worker.output[-2000:])
    runs = sorted((job.started, job.completed) for job in Job.objects.filter(pk__in=[job.pk for job in jobs]))
    assert all(before[1] <= after[0] for before, after in pairwise(runs))


def test_a_limit_that_is_not_acceptable_is_refused():
    for wrong in (0, True, '3', 10**9):
        with pytest.raises(ValueError, match='whole number'):
            QueueLimit.set('default', wrong)
    with pytest.raises(UnknownQueue):
        QueueLimit.set('nope', 1)
    assert not QueueLimit.objects.exists()


def test_queues_say_their_limit():
    QueueLimit.set('low', 7)
    with override_settings(NETBOX_JOBS={'QUEUES': {'high': {'concurrency': 2}, 'low': {'concurrency': 1}}}):
        assert [state.limit for state in queue_states()[:3]] == [2, None, 7]


def test_the_command_sets_lifts_and_resets_a_limit(capsys):
    call_command('jobs', 'limit', 'low', '5')
    assert QueueLimit.objects.get().most == 5
    call_command('jobs', 'limit', 'low', 'none')
    assert QueueLimit.objects.get().most is None
    call_command('jobs', 'limit', 'low', 'settings')
    call_command('jobs', 'limit', 'low', 'settings')
    assert not QueueLimit.objects.exists()
    assert capsys.readouterr().out.splitlines() == [
        'At most 5 jobs of the queue low run at once.',
        'Any number of jobs of the queue low run at once.',
        'The settings say again how many jobs of the queue low run at once.',
        'Nothing but the settings says how many jobs of the queue low run at once.',
    ]
    for wrong in (('low', 'some'), ('low', '0'), ('nope', '5')):
        with pytest.raises(CommandError):
            call_command('jobs', 'limit', *wrong)


def test_the_admin_changes_a_limit_for_those_who_may():
    def client(name, *permissions):
        user = User.objects.create_user(name, is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        browser = Client()
        browser.force_login(user)
        return browser

    add, overview = reverse('admin:netbox_jobs_queuelimit_add'), reverse('admin:netbox_jobs_job_overview')
    looks = client('looks', 'view_job', 'view_queuelimit')
    assert looks.post(add, {'name': 'low', 'most': 3}).status_code == 403
    verbs = ('view', 'add', 'change', 'delete')
    manages = client('manages', 'view_job', *(f'{verb}_queuelimit' for verb in verbs))
    assert manages.post(add, {'name': 'low', 'most': 0}).status_code == 200
    assert manages.post(add, {'name': 'nope', 'most': 1}).status_code == 200
    assert not QueueLimit.objects.exists()
    assert manages.post(add, {'name': 'low', 'most': 3}).status_code == 302
    assert QueueLimit.objects.get().most == 3
    change = reverse('admin:netbox_jobs_queuelimit_change', args=('low',))
    assert manages.post(change, {'most': ''}).status_code == 302
    assert QueueLimit.objects.get().most is None
    manages.post(change, {'most': 4})
    assert b'at most 4 at once' in looks.get(overview).content
    manages.post(reverse('admin:netbox_jobs_queuelimit_delete', args=('low',)), {'post': 'yes'})
    assert not QueueLimit.objects.exists()


def test_a_pause_counts_as_well(work):
    QueueLimit.set('default', 1)
    job = Quiet.enqueue()
    PausedQueue.pause('default')
    work()
    assert status(job) == 'scheduled'
    PausedQueue.resume('default')
    a_second()
    a_second()
    work()
    assert status(job) == 'completed'

"""The audit trail: who did what, from every interface, in the transaction of the action."""

import re
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction

import netbox_jobs
from netbox_jobs.context import acting
from netbox_jobs.lifecycle import audit
from netbox_jobs.maintenance.bulk_action import act_on_jobs
from netbox_jobs.models import AuditEntry, Job, MutedError, PausedQueue, Schedule, Worker
from netbox_jobs.signals import job_audited
from tests.app.jobs import Plain

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada():
    return get_user_model().objects.create_superuser('ada')


def told():
    """What the trail says, oldest first."""
    rows = AuditEntry.objects.order_by('pk')
    return [(row.actor, row.face, row.action, row.object_type, row.object_id) for row in rows]


def ended():
    return Plain.enqueue(immediate=True)


# Every action, from Python


def _schedule():
    return Plain.enqueue_once(interval=60).schedule


def _worker():
    return Worker.objects.create(token='t', name='w', host='h', pid=1, queues='default')


def _paused():
    PausedQueue.pause('low')
    return PausedQueue(name='low')


def _stopped_schedule():
    schedule = _schedule()
    schedule.pause()
    return schedule


ACTIONS = {
    'job cancel': (Plain.enqueue, lambda job, user: job.cancel(user=user), {'status'}),
    'job stop': (Plain.enqueue, lambda job, user: job.stop(user=user), {'status'}),
    'job retry': (ended, lambda job, user: job.retry(user=user), {'job'}),
    'job delete': (ended, lambda job, user: job.delete(user=user), {'status', 'runner', 'queue_name'}),
    'schedule change': (_schedule, lambda row, user: row.change(interval=5, user=user), {'interval'}),
    'schedule pause': (_schedule, lambda row, user: row.pause(user=user), {'paused'}),
    'schedule resume': (_stopped_schedule, lambda row, user: row.resume(user=user), {'paused'}),
    'schedule run': (_schedule, lambda row, user: row.run_now(user=user), {'job'}),
    'schedule end': (_schedule, lambda row, user: row.end(user=user), {'interval', 'runner', 'queue_name'}),
    'queue pause': (lambda: PausedQueue(name='low'), lambda row, user: row.pause('low', user=user), {'paused'}),
    'queue resume': (_paused, lambda row, user: row.resume('low', user=user), {'paused'}),
    'worker leave': (_worker, lambda row, user: row.leave(user=user), {'leaving'}),
    'error mute': (lambda: MutedError(fingerprint='f'), lambda row, user: row.mute('f', user=user), {'muted'}),
    'error unmute': (
        lambda: MutedError.objects.create(fingerprint='f'), lambda row, user: row.unmute('f', user=user), {'muted'},
    ),
}  # fmt: skip


@pytest.mark.parametrize('name', ACTIONS)
def test_each_action_with_a_user_is_one_entry_that_says_what_changed(ada, name):
    make, perform, changed = ACTIONS[name]
    row = make()
    key, (kind, action) = str(row.pk), name.split()
    perform(row, ada)
    assert told() == [('ada', 'python', action, kind, key)]
    entry = AuditEntry.objects.get()
    assert changed <= entry.details['before'].keys() | entry.details['after'].keys()
    assert entry.user == ada and entry.count == 1
    perform_again = {'job cancel', 'job stop', 'schedule pause', 'queue pause', 'worker leave', 'error mute'}
    if name in perform_again:
        assert not perform(row, ada)
        assert len(told()) == 1, 'an action that changes nothing is no entry'


@pytest.mark.parametrize('name', ACTIONS)
def test_an_action_of_code_that_names_no_one_is_not_recorded(name):
    make, perform, _changed = ACTIONS[name]
    perform(make(), None)
    assert told() == []


@pytest.mark.parametrize('user', [True, False])
def test_an_action_that_the_trail_does_not_know_is_refused_with_and_without_an_actor(ada, user):
    done = []
    with pytest.raises(ValueError, match=r"'hold' is not an action of the audit trail; expected one of cancel, stop"):
        audit.act('hold', Plain.enqueue(), lambda: done.append(1) or True, ada if user else None)
    with pytest.raises(ValueError, match="'hold' is not an action"), audit.several('hold', {}):
        done.append(2)
    assert done == told() == []


def test_no_interface_writes_entries_itself():
    root = Path(netbox_jobs.__file__).parent
    writing = [
        str(path.relative_to(root))
        for path in root.rglob('*.py')
        if re.search(r'AuditEntry\(\n|AuditEntry\.objects\S*\.(create|bulk_create|save)', path.read_text())
    ]
    assert writing == ['lifecycle/audit.py']


def test_what_an_action_does_within_is_no_entry_of_its_own(ada):
    schedule = _schedule()
    key = str(schedule.pk)
    with acting(user=ada):
        schedule.end()
    assert told() == [('ada', 'python', 'end', 'schedule', key)]


# One transaction


def test_an_action_that_is_rolled_back_leaves_no_entry_and_sends_no_signal(ada, signals):
    job = Plain.enqueue()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        job.cancel(user=ada)
        assert len(told()) == 1
        assert 1 / 0
    assert told() == signals == []
    assert Job.objects.get().status == 'pending'


@pytest.mark.parametrize('name', ['job cancel', 'job delete', 'schedule pause', 'queue pause'])
def test_an_action_whose_entry_cannot_be_written_does_not_happen(ada, monkeypatch, name):
    make, perform, _changed = ACTIONS[name]
    row = make()

    def fail(*args, **kwargs):
        raise RuntimeError('no room')

    monkeypatch.setattr(audit, '_write', fail)
    with pytest.raises(RuntimeError):
        perform(row, ada)
    assert not PausedQueue.objects.exists() and not Schedule.objects.filter(paused=True).exists()
    assert not Job.objects.filter(status='canceled').exists() and not (
        name == 'job delete' and not Job.objects.exists()
    )


@pytest.fixture
def signals():
    found = []

    def receive(sender, entry, **kwargs):
        found.append((entry.action, entry.count))

    job_audited.connect(receive)
    yield found
    job_audited.disconnect(receive)


# Several at once


def test_an_action_on_all_that_match_is_one_entry_with_its_filter_and_keys(ada, work, signals):
    jobs = [Plain.enqueue(queue_name='low') for _ in range(3)]
    acting_job = act_on_jobs('cancel', {'queue': 'low'}, user=ada)
    work('default')
    assert told() == [('ada', 'python', 'cancel', 'job', '')]
    entry = AuditEntry.objects.get()
    assert (entry.count, entry.details['ids']) == (3, [job.pk for job in jobs])
    assert entry.details['filter'] == {'queue': 'low', 'job': acting_job.pk}
    assert signals == [('cancel', 3)]


def test_keys_are_listed_up_to_a_bound_and_the_count_goes_on(ada, monkeypatch):
    monkeypatch.setattr(audit, 'LISTED', 2)
    jobs = [Plain.enqueue() for _ in range(4)]
    with acting(user=ada), audit.several('cancel', {'queue': 'default'}):
        assert all(job.cancel() for job in jobs)
    entry = AuditEntry.objects.get()
    assert (entry.count, entry.details['ids']) == (4, [job.pk for job in jobs[:2]])


def test_the_deletion_of_a_queryset_is_one_entry(ada):
    jobs = [ended(), ended(), Plain.enqueue()]
    with acting(user=ada):
        Job.objects.filter(pk__in=[job.pk for job in jobs]).delete()
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.count, entry.details['before']['status']) == (
        'delete',
        3,
        {'completed': 2, 'pending': 1},
    )


def test_an_entry_survives_the_deletion_of_its_object_and_of_its_user(ada):
    job = ended()
    job.delete(user=ada)
    ada.delete()
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.user, entry.object_name) == ('ada', None, 'Plain')

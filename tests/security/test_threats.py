"""The rows of the threat model in docs/explanation/security.md that no other test has."""

import sys

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import get_resolver, reverse
from rq import Queue

from netbox_jobs.broker import delivery
from netbox_jobs.lifecycle import cancel, claim
from netbox_jobs.models import Job, PausedQueue, Schedule
from tests.app.jobs import Plain
from tests.app.models import Thing, Trace
from tests.model.observer import events, observing
from tests.processes import status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(90), pytest.mark.chaos]


def addresses(*, pk):
    """Every address of the admin of jobs, and of the live fragments, for the rows of this key."""
    found = []
    resolver = get_resolver()
    prefixes = ('admin:netbox_jobs_', 'netbox_jobs:')
    for namespace, prefix in (('admin', 'admin:'), ('netbox_jobs', 'netbox_jobs:')):
        patterns = resolver.namespace_dict[namespace][1]
        for name in {name for name in patterns.reverse_dict if isinstance(name, str)}:
            if not f'{prefix}{name}'.startswith(prefixes):
                continue
            ((_path, parameters),) = patterns.reverse_dict.getlist(name)[0][0][:1]
            found.append(reverse(f'{prefix}{name}', args=[pk] * len(parameters)))
    return sorted({address for address in found if '/of/' not in address})  # its first key is that of a model


@pytest.fixture
def rows():
    """Jobs and a schedule with one key, so that it fits each address."""
    waiting, held = Plain.enqueue_once(interval=5), Plain.enqueue(instance=Thing.objects.create())
    claim.claim(str(held.job_id), 'one', 'default')
    return {waiting.pk, held.pk, waiting.schedule_id}


@pytest.mark.once
def test_no_get_changes_a_row(rows):
    boss = Client()
    boss.force_login(get_user_model().objects.create_superuser('boss'))
    with observing():
        for pk in rows:
            for address in addresses(pk=pk):
                assert boss.get(address).status_code < 500, address
                assert boss.head(address).status_code < 500, address
        assert events() == []
    assert len(addresses(pk=1)) > 25
    assert not PausedQueue.objects.exists()


@pytest.mark.once
@pytest.mark.parametrize('who', ['anonymous', 'a user', 'staff without permissions'])
def test_no_address_does_anything_for_those_without_permission(rows, who):
    browser = Client()
    if who != 'anonymous':
        browser.force_login(get_user_model().objects.create(username='u', is_staff=who.startswith('staff')))
    with observing():
        for pk in rows:
            for address in addresses(pk=pk):
                for response in (browser.get(address), browser.post(address, {'name': 'default', 'do': 'pause'})):
                    assert response.status_code in (302, 403, 404, 405) or b'Plain' not in response.content, address
        assert events() == []
    assert not PausedQueue.objects.exists()


@pytest.mark.parametrize(
    'column',
    ['arguments', 'arguments_format', 'arguments_signature', 'runner', 'job_id', 'context', 'all of another job'],
)
def test_p9_each_signed_column_that_is_changed_by_hand_has_the_job_refused(work, column):
    job, other = Plain.enqueue(word='x'), Plain.enqueue(word='y')
    other.refresh_from_db()
    columns = {
        'arguments': {'arguments': bytes(other.arguments)},
        'arguments_format': {'arguments_format': 'json' if other.arguments_format != 'json' else 'pickle'},
        'arguments_signature': {'arguments_signature': other.arguments_signature},
        'runner': {'runner': 'tests.app.jobs.Failing'},
        'job_id': {'job_id': '00000000-0000-4000-8000-000000000000'},
        'context': {'context': {'tests.app.contexts.Language': 'de'}},
        'all of another job': {
            name: getattr(other, name) for name in ('arguments', 'arguments_format', 'arguments_signature')
        },
    }
    Job.objects.filter(pk=job.pk).update(**columns[column])
    if column == 'job_id':
        delivery.queue('default').enqueue_call(delivery.ENTRY, args=(columns[column]['job_id'],))
    other.cancel()
    work()
    assert status(job) == 'errored'
    assert not Trace.objects.filter(job_pk=job.pk).exists()


@pytest.mark.parametrize('interval', [None, 5])
def test_p9_no_module_is_imported_for_a_row_whose_code_was_changed_by_hand(work, tmp_path, monkeypatch, interval):
    (tmp_path / 'chosen_by_hand.py').write_text('raise AssertionError("it was imported")')
    monkeypatch.syspath_prepend(tmp_path)
    imported = []
    monkeypatch.setattr(sys, 'meta_path', [_Importer(imported), *sys.meta_path])
    job = Plain.enqueue(interval=interval)
    Job.objects.update(runner='chosen_by_hand.Runner')
    work()
    assert status(job) == 'errored' and 'are not signed' in job.error
    assert imported == []


class _Importer:
    def __init__(self, imported):
        self.imported = imported

    def find_spec(self, name, *args):
        if name == 'chosen_by_hand':
            self.imported.append(name)


def test_an_id_that_is_written_to_redis_runs_nothing_that_the_rows_do_not_say(work):
    ended, gated = Plain.enqueue(), Plain.enqueue(depends_on=Plain.enqueue(queue_name='low'))
    work('default')
    later, deleted, held = Plain.enqueue(interval=5), Plain.enqueue(), Plain.enqueue()
    Job.objects.filter(pk=later.pk).update(status='scheduled', due=10**14)
    claim.claim(str(held.job_id), 'one', 'default')
    deleted.delete()
    cancel.cancel(canceled := Plain.enqueue())
    queue: Queue = delivery.queue('default')
    queue.empty()
    before = Trace.objects.count()
    for job in (ended, gated, later, deleted, held, canceled):
        queue.enqueue_call(delivery.ENTRY, args=(str(job.job_id),))
    queue.enqueue_call(delivery.ENTRY, args=("' OR 1=1 --",))
    queue.enqueue_call(delivery.ENTRY, args=('no id',))
    work('default')
    assert Trace.objects.count() == before
    assert Schedule.objects.count() == 1

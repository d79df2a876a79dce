"""An unsigned row that was changed by hand has no module imported that it names."""

import sys
from contextlib import suppress
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.utils import timezone

from netbox_jobs.core import import_path
from netbox_jobs.exceptions import ArgumentsRefused
from netbox_jobs.lifecycle import claim
from netbox_jobs.maintenance import orphans, recovery, reencryption, slots
from netbox_jobs.models import Job
from netbox_jobs.worker.reap import begin_stop
from tests.app.jobs import Plain, Working
from tests.app.limited import OfTenant
from tests.app.models import Thing
from tests.app.rated import Hourly

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a module that this process could import, and has not."""
    code = 'class Runner:\n    is_job_runner = True\n\n\nclass Error(Exception):\n    pass\n'
    (tmp_path / 'planted.py').write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    yield 'planted'
    sys.modules.pop('planted', None)


def changed(job, module, **values):
    """Have the row of a job name the module."""
    Job.objects.filter(pk=job.pk).update(runner=f'{module}.Runner', **values)
    return Job.objects.get(pk=job.pk)


def retried(module, work):
    job = changed(Plain.enqueue(), module, status='errored', completed=timezone.now())
    with pytest.raises(ArgumentsRefused):
        job.retry()


def stopped(module, work):
    job = claim.claim(str(Plain.enqueue().job_id), 'worker', 'default')
    assert begin_stop(str(changed(job, module).job_id)) == 0


def orphaned(module, work):
    job = claim.claim(str(Plain.enqueue_once(instance=Thing.objects.create(), interval=5).job_id), 'worker', 'default')
    assert orphans.end_orphan(changed(job, module), 'gone')


def limited(module, work):
    first, second = OfTenant.enqueue(), changed(OfTenant.enqueue(), module)
    first.terminate()
    assert second.held
    recovery.deliver_due()
    slots.give_slots()


def rated(module, work):
    changed([Hourly.enqueue() for _ in range(3)][2], module)
    recovery.deliver_due()
    slots.give_slots()


def run(module, work):
    changed(Plain.enqueue(), module)
    work()


def failed(module, work):
    job = Working.enqueue(fails=1, max_retries=3, retry_on=(ValueError,))
    Job.objects.filter(pk=job.pk).update(retry_policy={'max_retries': 3, 'on': [f'{module}.Error']})
    work()
    assert Job.objects.get(pk=job.pk).status == 'errored'


def reencrypted(module, work):
    changed(Plain.enqueue(), module)
    reencryption.reencrypt()


def looked_up_as_a_task(module, work):
    tasks = pytest.importorskip('tests.app.tasks')
    api = pytest.importorskip('netbox_jobs.contrib.django_tasks.api').api_of(tasks.add)
    with pytest.raises(api.result_missing):
        api.backends['default'].get_result(str(changed(Plain.enqueue(), module).job_id))


WAYS = (retried, stopped, orphaned, limited, rated, run, failed, reencrypted, looked_up_as_a_task)


@pytest.mark.parametrize('way', WAYS)
def test_a_module_that_an_unsigned_row_names_is_not_imported(way, module, work, settings):
    settings.NETBOX_JOBS = {'ENCRYPTION_KEYS': [Fernet.generate_key().decode()]}
    way(module, work)
    assert module not in sys.modules


def test_the_pages_import_nothing_that_a_row_names(module, admin_client):
    job = changed(Plain.enqueue(), module)
    for address in ('', f'{job.pk}/change/', 'overview/', 'errors/'):
        assert admin_client.get(f'/admin/netbox_jobs/job/{address}').status_code == 200
    with suppress(ArgumentsRefused):
        job.get_arguments()
    assert module not in sys.modules


def test_what_is_imported_is_known_without_an_import():
    assert import_path.is_imported('tests.app.jobs.Plain') and import_path.is_imported('tests.app.jobs.Plain.Meta')
    assert not import_path.is_imported('tests.app.absent.Plain') and not import_path.is_imported('absent.Plain')
    assert import_path.is_imported(import_path.path_of(timedelta))

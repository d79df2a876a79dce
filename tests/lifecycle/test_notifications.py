"""The end of a job is notified: the project's hook is called as the job's own setting asks for it."""

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.core.checks import run_checks

from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job
from tests.app.jobs import Erring, Failing, Flaky, Plain
from tests.processes import status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]

told = []


def hook(job):
    told.append((job.name, job.status))


def broken_hook(job):
    raise RuntimeError('no')


@pytest.fixture(autouse=True)
def forget():
    told.clear()


@pytest.fixture
def hooked(settings):
    settings.NETBOX_JOBS = {'NOTIFY': 'tests.lifecycle.test_notifications.hook'}


@pytest.mark.parametrize(
    ('notifications', 'expected'),
    [
        ('always', {'completed', 'failed', 'errored', 'canceled'}),
        ('on_failure', {'failed', 'errored'}),
        ('never', set()),
    ],
)
def test_the_hook_is_called_as_the_job_asks_for(hooked, work, notifications, expected):
    for runner in (Plain, Failing, Erring):
        runner.enqueue(notifications=notifications)
    work()
    Plain.enqueue(notifications=notifications).cancel()
    assert {status for _, status in told} == expected
    assert len(told) == len(expected)


def test_it_is_called_once_at_the_real_end(hooked, work):
    job = Flaky.enqueue(failures=2)
    for _ in range(4):
        work()
        recovery.deliver_due()
    assert status(job) == 'completed'
    assert told == [('Flaky', 'completed')]


def test_a_failing_hook_changes_no_status_and_is_logged(settings, work, caplog):
    settings.NETBOX_JOBS = {'NOTIFY': 'tests.lifecycle.test_notifications.broken_hook'}
    job = Plain.enqueue()
    work()
    assert status(job) == 'completed'
    assert 'notification hook tests.lifecycle.test_notifications.broken_hook raised' in caplog.text


def test_it_is_off_by_default(work):
    Plain.enqueue(user=get_user_model().objects.create(username='u', email='u@example.org'))
    work()
    assert mail.outbox == []


@pytest.mark.parametrize('path', ['nowhere.hook', 'os.path'])
def test_a_hook_that_is_no_function_is_found_by_a_system_check(settings, path):
    settings.NETBOX_JOBS = {'NOTIFY': path}
    # Other tests leave runners behind whose `Meta` has mistakes, which are warnings.
    assert [message.id for message in run_checks() if message.is_serious()] == ['netbox_jobs.E007']
    assert not Job.objects.exists()

"""What a running job does, on its page and on the command line: by permission."""

import io
import json
import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from netbox_jobs.cli import stack
from netbox_jobs.models import Job, JobStack
from netbox_jobs.models.stacks import OVERDUE
from netbox_jobs.monitoring import open_transactions
from tests.processes import wait_for

pytestmark = pytest.mark.django_db

ANSWER = {
    'stack': 'The job:\n  File "a.py", line 1, in run\n    wait("<b>\x1b[31m")\n', 'samples': 5, 'same': 5, 'host': 'h',
    'pid': 1234567, 'memory': 50_000_000, 'cpu': 99.6,
}  # fmt: skip


@pytest.fixture
def job():
    """A running job."""
    return Job.objects.create(name='busy', status='running', attempt=1, worker='w', started=timezone.now())


def client_with(client, *permissions):
    user, _ = User.objects.get_or_create(username='someone', is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return client


def page(client, job):
    return client.get(f'/admin/netbox_jobs/job/{job.pk}/change/').content.decode()


def ask(client, job):
    return client.post(f'/admin/netbox_jobs/job/{job.pk}/stack/', follow=True)


def test_the_page_asks_and_shows_the_answer(client, job):
    client_with(client, 'view_job', 'inspect_job')
    assert 'Look into the process' in page(client, job)
    assert 'The process is asked' in ask(client, job).content.decode()
    JobStack.objects.update(taken=timezone.now(), **ANSWER)
    shown = page(client, job)
    assert 'wait(&quot;&lt;b&gt;&quot;)' in shown and '\x1b' not in shown
    assert 'process 1234567 on h' in shown and '100% of a core' in shown and 'at the same line in all 5' in shown
    assert 'Look again' in shown


def test_a_process_that_does_not_answer_is_named(client, job):
    client_with(client, 'view_job', 'inspect_job')
    ask(client, job)
    JobStack.objects.update(requested=timezone.now() - OVERDUE - timedelta(seconds=1))
    assert 'The process does not answer' in page(client, job)


def test_the_stack_needs_its_permission_and_a_post(client, job):
    client_with(client, 'view_job', 'cancel_job', 'retry_job')
    JobStack.objects.create(job=job, taken=timezone.now(), **ANSWER)
    assert 'nj-stack' not in page(client, job)
    assert ask(client, job).status_code == 403
    User.objects.get().user_permissions.set(Permission.objects.filter(codename__in=('view_job', 'inspect_job')))
    assert client.get(f'/admin/netbox_jobs/job/{job.pk}/stack/').status_code == 405
    User.objects.get().user_permissions.set(Permission.objects.filter(codename='inspect_job'))
    assert ask(client, job).status_code == 403
    assert JobStack.objects.get().taken is not None


def test_a_job_that_has_ended_has_no_stack(client, job):
    client_with(client, 'view_job', 'inspect_job')
    JobStack.ask(job)
    Job.objects.update(status='completed')
    assert 'nj-stack' not in page(client, job)
    assert 'does not run' in ask(client, job).content.decode()


def test_jobs_stack_prints_the_answer(job, monkeypatch):
    def answer(*_args, **_kwargs):
        JobStack.objects.update(taken=timezone.now(), **ANSWER)

    monkeypatch.setattr(stack, 'time', SimpleNamespace(sleep=answer, monotonic=time.monotonic))
    out = io.StringIO()
    call_command('jobs', 'stack', str(job.pk), stdout=out)
    assert 'process: 1234567 on h' in out.getvalue() and 'wait("<b>' in out.getvalue()
    assert '\x1b' not in out.getvalue()
    out = io.StringIO()
    call_command('jobs', 'stack', str(job.pk), '--json', stdout=out)
    document = json.loads(out.getvalue())
    assert (document['id'], document['cpu'], document['stack']) == (job.pk, 99.6, ANSWER['stack'])


def test_jobs_stack_says_when_there_is_no_answer(job, monkeypatch):
    def end(_seconds):
        Job.objects.update(status='failed')

    monkeypatch.setattr(stack, 'time', SimpleNamespace(sleep=end, monotonic=time.monotonic))
    out = io.StringIO()
    with pytest.raises(SystemExit) as exited:
        call_command('jobs', 'stack', str(job.pk), stdout=out, stderr=out)
    assert exited.value.code == 1 and 'has not answered' in out.getvalue()
    with pytest.raises(CommandError, match='does not run'):
        call_command('jobs', 'stack', str(job.pk))


@pytest.mark.django_db(transaction=True)
def test_an_open_transaction_is_told_with_its_age(client, job):
    """Of the session that the job's row names; SQLite has no sessions."""
    assert open_transactions.of_job(job) is None
    if connection.vendor == 'sqlite':
        return
    other = connection.copy('other')
    try:
        with other.cursor() as cursor:
            mine = 'pg_backend_pid()' if connection.vendor == 'postgresql' else 'CONNECTION_ID()'
            cursor.execute(f'SELECT {mine}')
            Job.objects.filter(pk=job.pk).update(backend_id=cursor.fetchone()[0])
        job.refresh_from_db()
        assert open_transactions.of_job(job) is None, 'it is in none'
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("UPDATE netbox_jobs_job SET name = 'held' WHERE id = %s", [job.pk])
        wait_for(lambda: open_transactions.of_job(job))  # MariaDB remembers its answer for a moment
        found = open_transactions.of_job(job)
        assert found is not None and found.age < 600 and not found.active
        shown = page(client_with(client, 'view_job', 'inspect_job'), job)
        assert 'A database transaction has been open for' in shown
        shown = page(client_with(client, 'view_job'), job)
        assert 'A database transaction' not in shown
        if connection.vendor == 'postgresql':  # behind a pooler, what is older than the job is another's
            job.started = timezone.now() + timedelta(hours=1)
            assert open_transactions.of_job(job) is None
    finally:
        other.close()

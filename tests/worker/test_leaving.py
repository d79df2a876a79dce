"""Maintenance without losing a job: a worker finishes its job and leaves on request, and queues are drained."""

import io
import json
import time

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command

from netbox_jobs.cli import queues
from netbox_jobs.models import Job, PausedQueue, Worker
from netbox_jobs.monitoring import pauses
from tests.app.jobs import Plain, Sleeping
from tests.processes import status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]


def jobs(*arguments):
    out = io.StringIO()
    call_command('jobs', *arguments, stdout=out, stderr=out)
    return out.getvalue()


@pytest.mark.parametrize('arguments', [(), pytest.param(('--fast',), marks=pytest.mark.once)])
def test_a_worker_that_is_told_to_leave_finishes_its_job_and_begins_no_other(start_worker, arguments, tmp_path):
    worker = start_worker('default', *arguments)
    running = Sleeping.enqueue(until=str(tmp_path / 'go'))
    waiting = Plain.enqueue()
    wait_for(lambda: status(running) == 'running')
    (row,) = Worker.objects.all()
    assert row.leave() is True
    assert row.leave() is False, 'a second signal would end the job'
    wait_for(lambda: 'arm shut down' in worker.output)
    assert status(running) == 'running'
    (tmp_path / 'go').touch()
    assert worker.process.wait(60) == 0
    assert (status(running), status(waiting)) == ('completed', 'pending')
    assert not Worker.objects.exists()
    start_worker('default', '--burst').process.wait(60)
    assert status(waiting) == 'completed'


@pytest.mark.once
def test_an_idle_worker_that_is_told_to_leave_ends(start_worker):
    worker = start_worker('default')
    wait_for(Worker.objects.exists)
    assert 'finishes what it runs' in jobs('workers', 'leave', '--all')
    assert worker.process.wait(60) == 0


@pytest.mark.once
def test_a_pool_starts_another_worker_in_place_of_one_that_leaves(start_worker):
    start_worker('default', '--num-workers', '1', command='rqworker-pool')
    wait_for(Worker.objects.exists)
    (old,) = Worker.objects.all()
    assert old.name in jobs('workers', 'leave', old.name)
    wait_for(lambda: Worker.objects.exclude(pk=old.pk).exists())
    wait_for(lambda: not Worker.objects.filter(pk=old.pk).exists())
    job = Plain.enqueue()
    wait_for(lambda: status(job) == 'completed')


@pytest.mark.once
def test_drained_queues_run_nothing_and_go_on_when_they_are_resumed(start_worker, tmp_path, monkeypatch):
    start_worker('default', 'low')
    running, elsewhere = Sleeping.enqueue(until=str(tmp_path / 'go')), Plain.enqueue(queue_name='low')
    wait_for(lambda: status(running) == 'running')
    rest = time.sleep

    def let_it_end(seconds):
        (tmp_path / 'go').touch()
        rest(seconds)

    with monkeypatch.context() as patched:
        patched.setattr(queues.time, 'sleep', let_it_end)
        said = jobs('drain', 'default')
    assert '1 job still running' in said and said.endswith('Resume them with "jobs resume".\n')
    assert status(running) == 'completed'
    held = Plain.enqueue()
    wait_for(lambda: status(elsewhere) == 'completed')
    assert status(held) in ('pending', 'scheduled')
    jobs('resume', '--all')
    wait_for(lambda: status(held) == 'completed')


@pytest.mark.once
def test_a_drain_that_takes_too_long_says_how_to_go_on(monkeypatch):
    monkeypatch.setattr(queues, 'INTERVAL', 0.01)
    job = Plain.enqueue()
    Job.objects.filter(pk=job.pk).update(status='running')
    with pytest.raises(CommandError, match='After 1 seconds, 1 still run') as raised:
        jobs('drain', '--all', '--timeout', '1')
    assert raised.value.returncode == 1
    assert PausedQueue.objects.filter(name='default').exists()


@pytest.mark.once
def test_names_or_all_but_not_both_and_not_neither():
    for arguments in (('pause',), ('pause', 'low', '--all'), ('workers', 'leave'), ('workers', 'leave', 'x', '--all')):
        with pytest.raises(CommandError, match='--all') as raised:
            jobs(*arguments)
        assert raised.value.returncode == 2
    with pytest.raises(CommandError, match=r"There is no worker 'x'"):
        jobs('workers', 'leave', 'x')


@pytest.mark.once
def test_every_page_says_that_queues_are_paused(admin_client):
    PausedQueue.pause('low')
    page = '/admin/netbox_jobs/'
    for address in ('job/', 'job/overview/', 'schedule/', 'worker/', 'job/errors/'):
        assert 'The queue low is paused.' in admin_client.get(page + address).content.decode(), address
    admin_client.post(f'{page}job/overview/queue/', {'do': 'pause_all'})
    assert pauses.paused().all
    assert 'All queues are paused.' in admin_client.get(f'{page}job/').content.decode()
    admin_client.post(f'{page}job/overview/queue/', {'do': 'resume_all'})
    assert pauses.paused() is None


@pytest.mark.once
def test_telling_a_worker_to_leave_needs_its_permission(client):
    worker = Worker.objects.create(token='t', name='w', host='h', pid=1, queues=json.dumps(['default']))
    user = User.objects.create_user('staff', is_staff=True)
    client.force_login(user)
    address = f'/admin/netbox_jobs/worker/{worker.pk}/leave/'
    user.user_permissions.add(Permission.objects.get(codename='view_worker'))
    assert 'Finish and leave' not in client.get('/admin/netbox_jobs/worker/').content.decode()
    assert client.post(address).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename='stop_worker'))
    assert 'Finish and leave' in client.get('/admin/netbox_jobs/worker/').content.decode()
    assert client.get(address).status_code == 405
    assert client.post(address).status_code == 302
    worker.refresh_from_db()
    assert worker.leaving is not None
    assert 'Leaving' in client.get('/admin/netbox_jobs/worker/').content.decode()

"""`manage.py jobs prune`, `repair`, `health` and `doctor`."""

import json
import os
import re
import socket
import subprocess
import sys
from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from netbox_jobs.cli import health
from netbox_jobs.models import Job, PausedQueue, Worker
from tests import nursery
from tests.app.jobs import Plain
from tests.cli.helpers import documented_keys
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


# prune, repair


def test_prune_deletes_what_ended_long_ago(jobs, settings):
    old, new = Plain.enqueue(immediate=True), Plain.enqueue(immediate=True)
    moment = timezone.now() - timedelta(days=40)
    Job.objects.filter(pk=old.pk).update(created=moment, completed=moment)
    assert jobs('prune', '--yes').out == 'Deleted 0 jobs that ended more than 90 days ago.\n'
    assert jobs('prune', '--yes', '--days', '30').out == 'Deleted 1 job that ended more than 30 days ago.\n'
    assert list(Job.objects.all()) == [new]
    assert jobs('prune', '--days', '0').code == 2
    settings.JOB_RETENTION = 0
    assert jobs('prune').out == 'JOB_RETENTION is 0: all jobs are kept.\n'


def test_repair_says_what_it_found_and_a_dry_run_does_nothing(jobs):
    job = Plain.enqueue(schedule_at=timezone.now() + timedelta(hours=1))
    Job.objects.filter(pk=job.pk).update(due=1)
    assert '     1  scheduled jobs are due' in jobs('repair', '--dry-run').out
    assert status(job) == 'scheduled'
    assert jobs('repair').out.endswith('Done.\n')
    assert status(job) == 'pending'


# health, doctor


@pytest.fixture
def beating(monkeypatch):
    """A worker of this host, which gives a heartbeat whenever a command waits for it."""
    Worker.objects.create(token='w', name='w', host=socket.gethostname(), pid=1, queues='high low')
    monkeypatch.setattr(health.time, 'sleep', lambda _seconds: Worker.objects.update(beats=F('beats') + 1))


def test_health_says_by_its_exit_code_whether_all_answers(jobs, settings):
    said = jobs('health')
    assert (said.code, said.out.splitlines()) == (0, ['database: ok', 'tables: ok', 'redis: ok'])
    settings.RQ_QUEUES = {'default': {'URL': 'redis://127.0.0.1:1/0'}}
    said = jobs('health', '--json')
    assert (said.code, [each['ok'] for each in said.json]) == (0, [True, True, False])
    assert jobs('health', '--redis').code == 1
    assert set(said.json[0]) == set(documented_keys('a check of `health`')[0])


def test_health_looks_for_live_workers(jobs, beating, monkeypatch):
    assert jobs('health', '--worker').code == 0
    assert jobs('health', '--queue', 'low', '--queue', 'high').code == 0
    said = jobs('health', '--queue', 'low', '--queue', 'default')
    assert said.code == 1 and 'No live worker serves default.' in said.out
    monkeypatch.setattr(health.time, 'sleep', lambda _seconds: None)
    said = jobs('health', '--worker')
    assert said.code == 1 and 'gave a heartbeat' in said.out
    Worker.objects.update(host='elsewhere')
    assert jobs('health', '--worker').code == 1


def test_doctor_prints_findings_the_worst_first_and_what_to_do(jobs, beating):
    PausedQueue.pause('high')
    Plain.enqueue(queue_name='high')
    Plain.enqueue(queue_name='default')
    said = jobs('doctor')
    assert said.code == 1
    levels = re.findall(r'^([A-Z]+) [a-z]+\.', said.out, re.MULTILINE)
    assert levels == sorted(levels, key=['ERROR', 'WARNING', 'INFO'].index) and {'ERROR', 'INFO'} <= set(levels)
    assert '  Start one with "manage.py rqworker default"' in said.out
    found = jobs('doctor', '--json').json
    assert set(found[0]) == {'code', 'level', 'text', 'advice'} <= set(documented_keys('a finding of `doctor`')[0])


@pytest.mark.process
def test_doctor_reports_settings_that_would_end_other_commands(tmp_path, monkeypatch):
    nothing = {'DATABASES': {}, 'RQ_QUEUES': {'low': {}}, 'INSTALLED_APPS': [
        'django.contrib.contenttypes', 'django.contrib.auth', 'netbox_jobs', 'django_rq']}  # fmt: skip
    module = '\n'.join(f'{name} = {value!r}' for name, value in nothing.items())
    (tmp_path / 'wrong_settings.py').write_text(f'{module}\nSECRET_KEY = "x"\nUSE_TZ = True\n')
    command = [sys.executable, '-m', 'django', 'jobs', 'doctor', '--json']
    wanted = {'PYTHONPATH': f'{tmp_path}{os.pathsep}{nursery.ROOT}', 'DJANGO_SETTINGS_MODULE': 'wrong_settings'}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, **wanted}, check=False
    )
    found = {each['code']: each for each in json.loads(done.stdout)}
    assert done.returncode == 1 and {'check.E001', 'database.away'} <= set(found), done.stderr


def test_doctor_finds_nothing_in_a_sound_installation(jobs, monkeypatch):
    monkeypatch.setattr(health.doctor, 'examine', lambda _sleep: iter(()))
    said = jobs('doctor')
    assert (said.code, said.out) == (0, 'No problems were found.\n')

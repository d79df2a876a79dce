"""The metrics for Prometheus: what they say, who may read them, and what they ask of the database."""

import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from netbox_jobs.contrib import metrics
from netbox_jobs.contrib.metrics import collector
from netbox_jobs.maintenance.orphans import end_orphans
from netbox_jobs.models import Job, PausedQueue, RepairCount, Worker
from netbox_jobs.monitoring import measures, recent, workers
from tests.app.jobs import Plain
from tests.docs.blocks import DOCS, blocks, names, rows

pytestmark = pytest.mark.django_db(transaction=True)

FILES = Path(metrics.__file__).parent
GUIDE = DOCS / 'how-to' / 'metrics.md'


def ended(status='completed', ran=2.0, waited=1.0, ago=0.0, **values):
    now = timezone.now() - timedelta(seconds=ago)
    started = now - timedelta(seconds=ran)
    return Job.objects.create(
        **{'name': 'x', 'runner': 'app.Runner', 'queue_name': 'default', 'attempt': 1, 'due': 1, **values},
        status=status,
        created=started - timedelta(seconds=waited),
        started=started,
        completed=now,
        execution_time=timedelta(seconds=ran),
    )


def text():
    registry = CollectorRegistry()
    registry.register(metrics.JobsCollector())
    openmetrics.generate_latest(registry)  # stricter than the older format
    return generate_latest(registry).decode()


def samples():
    """All samples, by name and labels."""
    found = {}
    for family in text_string_to_metric_families(text()):
        for sample in family.samples:
            key = sample.name, *(f'{name}={value}' for name, value in sorted(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def test_jobs_are_counted_by_queue_runner_and_status():
    Plain.enqueue(queue_name='low')
    Plain.enqueue(queue_name='low').start()
    Plain.enqueue(queue_name='high', schedule_at=timezone.now() + timedelta(hours=1))
    ended('errored')
    ended()
    ended(ago=60 * recent.MINUTES + 5)
    found, plain = samples(), 'runner=tests.app.jobs.Plain'
    assert found['netbox_jobs_jobs', 'queue=low', plain, 'status=pending'] == 1
    assert found['netbox_jobs_jobs', 'queue=low', plain, 'status=running'] == 1
    assert found['netbox_jobs_jobs', 'queue=high', plain, 'status=scheduled'] == 1
    assert found['netbox_jobs_recent_jobs', 'queue=default', 'runner=app.Runner', 'status=completed'] == 1
    assert found['netbox_jobs_recent_jobs', 'queue=default', 'runner=app.Runner', 'status=errored'] == 1
    assert found['netbox_jobs_recent_window_seconds',] == 60 * recent.MINUTES
    assert found['netbox_jobs_queue_jobs', 'queue=low', 'state=waiting'] == 1


def test_wait_and_run_times_are_histograms_of_the_last_minutes():
    ended(ran=0.05, waited=2)
    ended(ran=3, waited=20)
    ended(ran=20, waited=500, attempt=2)  # whose wait was a backoff
    found, labels = samples(), ('queue=default', 'runner=app.Runner')

    def buckets(name):
        return {key[1]: value for key, value in found.items() if key[0] == name}

    runs = buckets('netbox_jobs_run_seconds_bucket')
    assert (runs['le=0.1'], runs['le=5.0'], runs['le=60.0'], runs['le=+Inf']) == (1, 2, 3, 3)
    assert found['netbox_jobs_run_seconds_gsum', *labels] == pytest.approx(23.05)
    waits = buckets('netbox_jobs_wait_seconds_bucket')
    assert (waits['le=1.0'], waits['le=5.0'], waits['le=60.0'], waits['le=+Inf']) == (0, 1, 2, 2)
    assert found['netbox_jobs_wait_seconds_gcount', *labels] == 2


def test_of_more_ended_jobs_than_are_added_up_the_window_is_shorter(monkeypatch):
    monkeypatch.setattr(recent, 'ADDED_UP', 3)
    for number in range(5):
        ended(ago=number * 10)
    found = samples()
    assert found['netbox_jobs_recent_jobs', 'queue=default', 'runner=app.Runner', 'status=completed'] == 3
    assert 30 <= found['netbox_jobs_recent_window_seconds',] < 60


def test_queues_report_the_wait_of_the_oldest_job_and_who_serves_them():
    job = Plain.enqueue(queue_name='low')
    Job.objects.filter(pk=job.pk).update(due=job.due - 150_000)
    PausedQueue.pause('high')
    Worker.objects.create(token='w', name='w', host='h', pid=1, queues='low high')
    found = samples()
    assert found['netbox_jobs_queue_oldest_seconds', 'queue=low'] >= 150
    assert found['netbox_jobs_queue_oldest_seconds', 'queue=high'] == 0
    assert [found['netbox_jobs_queue_workers', f'queue={name}'] for name in ('low', 'default')] == [1, 0]
    assert [found['netbox_jobs_queue_paused', f'queue={name}'] for name in ('high', 'low')] == [1, 0]


def test_workers_report_heartbeats_and_their_age(monkeypatch):
    Worker.objects.create(token='w', name='w', host='h', pid=1, queues='low', beats=7)
    Worker.objects.create(token='v', name='w', host='h', pid=2, queues='low')
    samples()
    later = workers.time.monotonic() + 40
    monkeypatch.setattr(workers.time, 'monotonic', lambda: later)
    Worker.objects.filter(pid=2).update(beats=1)
    found = samples()
    assert found['netbox_jobs_worker_heartbeats_total', 'host=h', 'worker=w (1)'] == 7
    assert found['netbox_jobs_worker_heartbeat_age_seconds', 'host=h', 'worker=w (1)'] >= 40
    assert found['netbox_jobs_worker_heartbeat_age_seconds', 'host=h', 'worker=w (2)'] == 0
    assert [found['netbox_jobs_workers', f'state={state}'] for state in ('live', 'silent')] == [1, 1]
    assert found['netbox_jobs_queue_workers', 'queue=low'] == 1


def test_recovery_counts_its_repairs_in_the_database():
    assert samples()['netbox_jobs_repairs_total', 'kind=orphan'] == 0
    for number in (1, 2):
        Worker.objects.create(token=f'{number}', name='w', host='h', pid=1)
        job = Plain.enqueue()
        job.start()
        Job.objects.filter(pk=job.pk).update(worker=f'{number}')
        assert end_orphans(f'{number}') == 1
    found = samples()
    assert [found['netbox_jobs_repairs_total', f'kind={kind}'] for kind in ('orphan', 'dead_worker', 'chain')] == [
        2,
        2,
        0,
    ]
    RepairCount.add('orphan', 0)
    assert RepairCount.objects.get(kind='orphan').number == 2


def test_schedules_that_are_late_are_reported_and_paused_ones_are_not():
    job = Plain.enqueue_once(interval=60)
    Job.objects.filter(pk=job.pk).update(due=job.due - 100_000)
    found, runner = samples(), 'runner=tests.app.jobs.Plain'
    assert found['netbox_jobs_schedules_late', runner] == 1
    assert 100 <= found['netbox_jobs_schedule_late_seconds', runner] < 200
    job.schedule.pause()
    found = samples()
    assert ('netbox_jobs_schedules_late', runner) not in found
    assert [found['netbox_jobs_schedules', f'state={state}'] for state in ('active', 'paused', 'suspended')] == [
        0,
        1,
        0,
    ]


def test_labels_are_bounded(monkeypatch):
    monkeypatch.setattr(collector, 'MOST_RUNNERS', 2)
    for number in range(4):
        for _ in range(5 - number):
            ended(runner=f'app.Runner{number}')
    found = samples()
    runners = {key[2]: value for key, value in found.items() if key[0] == 'netbox_jobs_recent_jobs'}
    assert runners == {'runner=app.Runner0': 5, 'runner=app.Runner1': 4, 'runner=other': 5}
    assert found['netbox_jobs_run_seconds_gcount', 'queue=default', 'runner=other'] == 5


def test_numbers_of_waiting_jobs_end_at_the_limit():
    for _ in range(3):
        Plain.enqueue()
    assert measures.enqueued_jobs(2) == {('default', 'tests.app.jobs.Plain', 'pending'): 2}


def test_a_scrape_takes_the_same_few_queries_however_many_jobs_there_are(django_assert_num_queries):
    for number in range(3):
        for queue in ('high', 'low'):
            Plain.enqueue(queue_name=queue).start()
            Plain.enqueue(queue_name=queue)
            ended(queue_name=queue, runner=f'app.Runner{number}')
            Worker.objects.create(token=f'{number}{queue}', name='w', host='h', pid=number, queues=queue)
        with django_assert_num_queries(12):
            measures.take()


# The page


def get(**headers):
    return Client().get('/metrics', headers=headers)


def test_the_page_wants_the_token_or_a_user_who_may_view_all_jobs(settings):
    refused = get()
    assert (refused.status_code, refused['WWW-Authenticate']) == (401, 'Bearer')
    assert b'METRICS_TOKEN' in refused.content
    assert get(authorization='Bearer ').status_code == 401
    settings.NETBOX_JOBS = {'METRICS_TOKEN': 'secret'}
    assert get(authorization='Bearer wrong').status_code == get(authorization='Bearer').status_code == 401
    assert get(authorization='Bearer secret').status_code == 200
    user = get_user_model().objects.create(username='u')
    browser = Client()
    browser.force_login(user)
    assert browser.get('/metrics').status_code == 401
    user.user_permissions.set(Permission.objects.filter(codename='view_job'))
    assert browser.get('/metrics').status_code == 200
    assert browser.post('/metrics').status_code == 405


def test_the_page_is_in_the_format_that_is_asked_for(settings):
    settings.NETBOX_JOBS = {'METRICS_TOKEN': 'secret'}
    plain = get(authorization='Bearer secret')
    assert plain['Content-Type'].startswith('text/plain') and b'netbox_jobs_info{version=' in plain.content
    newer = get(authorization='Bearer secret', accept='application/openmetrics-text; version=1.0.0')
    assert newer['Content-Type'].startswith('application/openmetrics-text') and newer.content.endswith(b'# EOF\n')


# The page of the documentation, and the files for Prometheus and Grafana


def test_the_table_of_metrics_has_them_all_with_their_kinds_and_labels():
    said = {names(metric)[0]: (kind, names(labels)) for metric, kind, labels, _text in rows(GUIDE, '## Metrics')}
    found = list(metrics.JobsCollector().collect())
    kinds = {each.name: each.type.replace('gaugehistogram', 'gauge histogram') for each in found}
    assert {name: kind for name, (kind, _labels) in said.items()} == kinds
    for each in found:
        assert each.type == 'info' or said[each.name][1] == list(each._labelnames)


def test_the_configuration_of_prometheus_can_be_read():
    (block,) = [each.text for each in blocks(GUIDE) if each.language == 'yaml']
    assert yaml.safe_load(block)['rule_files'] == ['alerts.yml']
    assert len(yaml.safe_load((FILES / 'alerts.yml').read_text())['groups'][0]['rules']) == 7


def test_the_alerts_and_the_dashboard_name_metrics_that_exist():
    known = set(re.findall(r'^# TYPE (\w+)', text(), re.MULTILINE))
    known |= {f'{name}_bucket' for name in known}
    dashboard = json.loads((FILES / 'dashboard.json').read_text())
    assert len({panel['id'] for panel in dashboard['panels']}) == len(dashboard['panels']) > 10
    for source in ((FILES / 'alerts.yml').read_text().replace('name: netbox_jobs', ''), json.dumps(dashboard)):
        named = set(re.findall(r'netbox_jobs_\w+', source))
        assert len(named) > 5 and named <= known, named - known


@pytest.mark.once
@pytest.mark.process
def test_the_alerts_fire_when_they_should_where_promtool_is_installed(tmp_path):
    for file in (FILES / 'alerts.yml', Path(__file__).parent / 'alerts_test.yml'):
        shutil.copy(file, tmp_path)
    promtool = shutil.which('promtool')
    if promtool:  # a machine without it still compares the names, above
        done = subprocess.run(
            [promtool, 'test', 'rules', 'alerts_test.yml'], cwd=tmp_path, capture_output=True, text=True, timeout=150
        )
        assert done.returncode == 0, done.stdout + done.stderr

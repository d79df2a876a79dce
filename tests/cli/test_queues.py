"""`manage.py jobs queues`, `workers`, `pause` and `resume`."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from netbox_jobs.exceptions import UnknownQueue
from netbox_jobs.models import Job, PausedQueue, Progress, Worker
from tests.app.jobs import Erring, Failing, Plain, Talking

pytestmark = pytest.mark.django_db(transaction=True)


# queues, workers


def test_queues_tells_what_waits_runs_and_failed_and_who_serves(jobs):
    Worker.objects.create(token='a', name='a', host='h', pid=1, queues='high,default')
    Worker.objects.create(token='b', name='b', host='h', pid=2, queues='default')
    old, _young, running = Plain.enqueue(), Plain.enqueue(), Plain.enqueue()
    Job.objects.filter(pk=old.pk).update(due=old.due - 150_000)
    running.start()
    Plain.enqueue(schedule_at=timezone.now() + timedelta(hours=1))
    Plain.enqueue(depends_on=old)
    Failing.enqueue(immediate=True)
    Erring.enqueue(immediate=True, queue_name='low')
    before = Erring.enqueue(immediate=True)
    Job.objects.filter(pk=before.pk).update(completed=timezone.now() - timedelta(days=2))
    Job.objects.filter(pk=Plain.enqueue().pk).update(queue_name='gone')
    PausedQueue.pause('low')
    found = {row['name']: row for row in jobs('queues', '--json').json}
    assert list(found)[:3] == ['high', 'default', 'low']
    default = found['default']
    assert [default[key] for key in ('waiting', 'scheduled', 'running', 'failed', 'workers')] == [3, 1, 1, 1, 2]
    assert abs(datetime.fromisoformat(default['oldest']) - old.created) > timedelta(seconds=149)
    assert [found[name]['workers'] for name in ('high', 'low')] == [1, 0]
    assert (found['low']['failed'], found['gone']['waiting'], found['default']['paused']) == (1, 1, None)
    assert datetime.fromisoformat(found['low']['paused']) <= timezone.now()
    rows = {row[0]: row for row in jobs('queues').rows}
    assert rows['default'].pop(2).startswith('2 min 3')  # and the seconds that the test has taken
    assert rows['default'] == ['default', '3', '1', '1', '1', '2', 'Active']
    assert rows['low'] == ['low', '0', '-', '0', '0', '1', '0', 'Paused']
    assert rows['gone'][-1] == 'No worker'


def test_workers_tells_what_each_does(jobs):
    assert jobs('workers').err.startswith('No worker is running.')
    job, lone = Plain.enqueue(), Talking.enqueue()
    for each in (job, lone):
        each.start()
    Job.objects.filter(pk=lone.pk).update(worker='elsewhere')
    Worker.objects.create(token=job.worker, name='busy', host='here', pid=5, queues='high,low')
    Worker.objects.create(token='idle', name='lazy', host='there', pid=6, queues='low')
    Progress.objects.create(job=job, current=1, total=4)
    rows = jobs('workers').rows
    assert [row[:4] for row in rows[:2]] == [['busy', 'here', '5', 'high,low'], ['lazy', 'there', '6', 'low']]
    assert rows[0][5:7] == [f'{job.pk} Plain', '25%']
    assert rows[1][5] == 'Idle'
    assert (rows[2][1], rows[2][5]) == ('no worker', f'{lone.pk} Talking')
    (busy, lazy, other) = jobs('workers', '--json').json
    assert busy['queues'] == ['high', 'low'] and busy['jobs'][0]['progress']['current'] == 1
    assert (lazy['jobs'], other['name'], other['jobs'][0]['id']) == ([], None, lone.pk)


def test_pause_and_resume_name_queues_that_exist(jobs):
    said = jobs('pause', 'low', 'high')
    assert (said.code, said.out) == (0, 'The queue low is paused.\nThe queue high is paused.\n')
    assert jobs('pause', 'low').out == 'The queue low is already paused.\n'
    said = jobs('pause', 'default', 'nope')
    assert said.code == 2
    assert said.err.startswith("There is no queue 'nope'; the queues are")
    assert set(PausedQueue.objects.values_list('name', flat=True)) == {'low', 'high'}
    assert jobs('resume', 'low').out == 'The queue low is resumed.\n'
    assert jobs('resume', 'low').out == 'The queue low was not paused.\n'
    assert jobs('resume', 'nope').code == 2
    PausedQueue.objects.create(name='gone')
    assert jobs('resume', 'gone').out == 'The queue gone is resumed.\n'
    with pytest.raises(UnknownQueue):
        PausedQueue.pause('nope')

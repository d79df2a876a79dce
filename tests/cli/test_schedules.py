"""`manage.py jobs schedules`."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from netbox_jobs.models import Schedule
from tests.app.jobs import Failing, Plain, Talking
from tests.app.models import Thing
from tests.processes import status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


# schedules


def test_schedules_lists_what_recurs(jobs, work):
    thing = Thing.objects.create()
    ran = Plain.enqueue_once(instance=thing, interval=60)
    work()
    cron = Talking.enqueue_once(cron='0 3 * * *', timezone='Europe/Berlin')
    paused = Failing.enqueue_once(interval=5)
    paused.schedule.pause()
    Schedule.objects.filter(pk=paused.schedule_id).update(suspended='it was too much')
    rows = {row[0]: row for row in jobs('schedules').rows}
    assert rows[str(ran.schedule_id)][1:5] == [
        'Plain',
        'tests.app.jobs.Plain',
        f'testapp.thing:{thing.pk}',
        'every hour',
    ]
    assert rows[str(ran.schedule_id)][7:] == ['Completed', '1', 'Active']
    assert rows[str(cron.schedule_id)][4] == 'at 03:00 every day (Europe/Berlin)'
    assert rows[str(paused.schedule_id)][5:] == ['-', '-', '-', '0', 'Suspended']
    assert jobs('schedules').err == f'Schedule {paused.schedule_id} (Failing) is suspended: it was too much\n'
    found = {row['id']: row for row in jobs('schedules', '--json').json}
    first = found[ran.schedule_id]
    assert (first['last_status'], first['last_job'], first['runs'], first['interval']) == ('completed', ran.pk, 1, 60)
    assert datetime.fromisoformat(first['next_run']) == ran.schedule.next_run
    assert (found[paused.schedule_id]['next_run'], found[paused.schedule_id]['paused']) == (None, True)


def test_schedules_are_paused_resumed_run_changed_and_ended(jobs):
    job = Plain.enqueue_once(interval=60, schedule_at=timezone.now() + timedelta(hours=1))
    number = job.schedule_id
    said = f'Schedule {number} (Plain)'
    assert jobs('schedules', 'pause', number).out == f'{said} is paused.\n'
    assert jobs('schedules', 'pause', number).out == f'{said} is already paused.\n'
    assert jobs('schedules', 'resume', number).out == f'{said} is resumed.\n'
    assert jobs('schedules', 'resume', number).out == f'{said} was not paused.\n'
    assert jobs('schedules', 'change', number, '--interval', '5').out.startswith(
        f'{said} now recurs every 5 minutes; next run: '
    )
    changed = jobs('schedules', 'change', number, '--cron', '0 3 * * *', '--timezone', 'Asia/Tokyo')
    assert changed.out.startswith(f'{said} now recurs at 03:00 every day (Asia/Tokyo); next run: ')
    assert jobs('schedules', 'run-now', number).out == f'{said}: job {job.pk} starts now.\n'
    assert status(job) == 'pending'
    job.start()
    running = jobs('schedules', 'run-now', number)
    assert (running.code, running.err) == (1, f'{said} has no waiting job: job {job.pk} is running.\n')
    assert jobs('schedules', 'end', number, '--yes').out == f'{said} has ended.\n'
    assert not Schedule.objects.exists()


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        (('pause', '99'), 'There is no schedule 99.'),
        (('end', '--yes', 'x'), "'x' is not the ID of a schedule"),
        (('change', '{}', '--interval', '0'), 'interval is 0; expected a whole number of minutes'),
        (('change', '{}', '--cron', 'daily'), "cron is 'daily'; expected five fields"),
        (('change', '{}', '--cron', '0 3 * * *', '--timezone', 'Mars'), "timezone is 'Mars'; expected a name"),
        (('change', '{}', '--interval', '5', '--timezone', 'Asia/Tokyo'), '--timezone is given without --cron'),
    ],
)
def test_schedules_says_what_is_wrong(jobs, arguments, says):
    schedule = Plain.enqueue_once(interval=60).schedule
    said = jobs('schedules', *(argument.format(schedule.pk) for argument in arguments))
    assert (said.code, said.out) == (2, '')
    assert said.err.startswith(says)
    schedule.refresh_from_db()
    assert schedule.interval == 60

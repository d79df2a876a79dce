"""The calendar of schedules: what runs when, in the viewer's time zone; what is late, and what was missed."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.core.management import call_command

from netbox_jobs.models import Job, Schedule
from netbox_jobs.monitoring import calendar, counts, schedules

pytestmark = pytest.mark.django_db

PAGE = '/admin/netbox_jobs/schedule/calendar/'
#: A Wednesday; in Berlin, 13:00.
NOW = datetime(2026, 1, 14, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def now():
    """Time stands still."""
    with time_machine.travel(NOW, tick=False):
        yield


def schedule(name='Report', due=None, last=None, **values):
    """A schedule with a waiting job, and one that has ended."""
    made = Schedule.objects.create(key=name, runner='shop.jobs.Report', name=name, queue_name='default', **values)
    common = {'name': name, 'runner': 'shop.jobs.Report', 'schedule': made}
    if last is not None:
        Job.objects.create(status='completed', scheduled=last, completed=last, **common)
    if due is not None:
        Job.objects.create(status='scheduled', scheduled=due, slot=made.pk, **common)
    return made


def days(period='1d'):
    """The times of the runs by day and schedule."""
    found = calendar.upcoming(calendar.PERIODS[period]).days
    return {
        day.isoformat(): {runs.schedule.name: [f'{time:%H:%M}' for time in runs.times] for runs in of_day}
        for day, of_day in found.items()
    }


def test_the_runs_of_the_next_day_and_week_are_listed_by_day():
    schedule('nightly', due=datetime(2026, 1, 15, 2, 0, tzinfo=UTC), cron='0 3 * * *')
    schedule('every 6 h', due=NOW + timedelta(hours=4), interval=360)
    schedule('once', due=NOW + timedelta(hours=5))
    assert days() == {
        '2026-01-14': {'every 6 h': ['16:00', '22:00'], 'once': ['17:00']},
        '2026-01-15': {'nightly': ['02:00'], 'every 6 h': ['04:00', '10:00']},
    }
    week = days('7d')
    assert list(week) == [f'2026-01-{day}' for day in range(14, 22)]
    assert sum(len(times) for of_day in week.values() for times in of_day.values()) == 7 + 28 + 1


def test_what_runs_more_than_once_an_hour_is_one_line():
    schedule('often', due=NOW + timedelta(minutes=3), interval=5)
    schedule('hourly', due=NOW + timedelta(minutes=3), interval=60)
    found = calendar.upcoming(calendar.PERIODS['7d'])
    assert [state.schedule.name for state in found.often] == ['often']
    assert {runs.schedule.name for of_day in found.days.values() for runs in of_day} == {'hourly'}


def test_what_is_late_and_what_was_missed_is_named():
    schedule('late', due=NOW - timedelta(minutes=10), interval=60)
    schedule('missed', due=NOW + timedelta(minutes=1), last=NOW - timedelta(minutes=49), interval=10)
    schedule('cron', due=NOW + timedelta(hours=1), last=NOW - timedelta(hours=2), cron='0 * * * *')
    schedule('in time', due=NOW + timedelta(minutes=10), last=NOW - timedelta(minutes=50), interval=60)
    found = {late.state.schedule.name: (late.by, late.missed) for late in calendar.upcoming(timedelta(days=1)).late}
    assert found == {'late': (timedelta(minutes=10), 0), 'missed': (None, 4), 'cron': (None, 2)}


def test_missed_runs_are_counted_up_to_a_bound():
    schedule('minutely', due=NOW, last=NOW - timedelta(days=30), cron='* * * * *')
    [state] = schedules.schedule_states(Schedule.objects.all())
    assert calendar.missed(state) == calendar.MISSED


def test_of_many_runs_on_a_day_the_page_shows_the_first_and_the_last(admin_client):
    schedule('hourly', due=NOW + timedelta(minutes=30), interval=60)
    page = admin_client.get(PAGE).content.decode()
    assert '>13:30<' in page and '>23:30<' in page and '11 runs' in page and '>14:30<' not in page


def test_paused_and_suspended_schedules_do_not_run():
    schedule('paused', due=NOW - timedelta(hours=1), interval=60, paused=True)
    schedule('suspended', interval=60, suspended='gone')
    found = calendar.upcoming(timedelta(days=1))
    assert [state.schedule.name for state in found.resting] == ['paused', 'suspended']
    assert not found.days and not found.late


def test_the_next_run_of_a_running_schedule_is_known():
    made = schedule('running', interval=120)
    Job.objects.create(name='x', runner='x', status='running', schedule=made, scheduled=NOW, started=NOW)
    assert days()['2026-01-14'] == {'running': ['14:00', '16:00', '18:00', '20:00', '22:00']}


def test_the_page_is_in_the_time_zone_that_is_asked_for(admin_client):
    schedule('nightly', due=datetime(2026, 1, 14, 23, 30, tzinfo=UTC), cron='30 23 * * *', time_zone='UTC')
    page = admin_client.get(PAGE).content.decode()
    assert 'Europe/Berlin' in page and '2026-01-15' in page and '>00:30<' in page
    page = admin_client.get(PAGE, {'tz': 'America/New_York', 'period': '7d'}).content.decode()
    assert 'America/New_York' in page and '2026-01-14' in page and '>18:30<' in page
    assert 'period=1d&amp;tz=America/New_York' in page
    assert 'Europe/Berlin' in admin_client.get(PAGE, {'tz': '../etc', 'period': 'x'}).content.decode()
    assert '>00:30<' in admin_client.get(PAGE).content.decode(), 'the zone of one request stays with it'


def test_the_calendar_needs_the_permission_to_view_schedules(client):
    someone = User.objects.create_user('someone', is_staff=True)
    client.force_login(someone)
    assert client.get(PAGE).status_code == 403
    someone.user_permissions.set(Permission.objects.filter(codename='view_schedule'))
    assert client.get(PAGE).status_code == 200


def test_the_page_asks_the_database_as_often_for_many_schedules_as_for_one(admin_client, django_assert_max_num_queries):
    for number in range(30):
        schedule(f'schedule {number}', due=NOW + timedelta(hours=1), last=NOW, interval=60)
    with django_assert_max_num_queries(12):
        assert admin_client.get(PAGE, {'period': '7d'}).status_code == 200


def test_only_so_many_schedules_are_read(admin_client, monkeypatch):
    monkeypatch.setattr(calendar, 'SCHEDULES', 1)
    for number in range(2):
        schedule(f'schedule {number}', due=NOW + timedelta(hours=1))
    page = admin_client.get(PAGE).content.decode()
    assert 'schedule 0' in page and 'schedule 1' not in page and 'the first 1 schedules' in page


def test_a_late_schedule_is_called_late_wherever_its_state_is_shown(client):
    client.force_login(User.objects.create_superuser('admin'))
    late = schedule('late', due=NOW - timedelta(hours=2), interval=600)
    schedule('in time', due=NOW - timedelta(seconds=50), interval=60)
    shown = {
        state.schedule.name: (state.state, state.shown) for state in schedules.schedule_states(Schedule.objects.all())
    }
    assert shown == {'late': ('active', 'late'), 'in time': ('active', 'active')}
    for path in ('job/overview/', 'schedule/', f'schedule/{late.pk}/change/'):
        page = client.get(f'/admin/netbox_jobs/{path}').content.decode()
        assert '>Late</span> <span class="nj-quiet">2 h</span>' in page, path
    out = StringIO()
    call_command('jobs', 'schedules', stdout=out)
    [line] = [line for line in out.getvalue().splitlines() if ' late ' in line]
    assert line.rstrip().endswith('Late')
    late.pause()
    assert schedules.schedule_states(Schedule.objects.filter(pk=late.pk))[0].shown == 'paused'


def test_the_latest_jobs_of_many_schedules_are_found_by_one_statement_that_django_makes_once(django_assert_num_queries):
    made = [schedule(f'schedule {number}', due=NOW, last=NOW - timedelta(hours=number + 1)) for number in range(5)]
    never = schedule('never', due=NOW)
    with django_assert_num_queries(1):
        found = counts.firsts_by_key(
            [row.pk for row in (*made, never)], lambda key: Schedule(pk=key).ended_jobs.values('pk')
        )
    assert found == {**{row.pk: row.last_job.pk for row in made}, never.pk: None}

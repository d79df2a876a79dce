"""The one style of times, numbers, statuses and foreign text."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone, translation

from netbox_jobs.core import formatting, reasons
from netbox_jobs.core.waits import Wait, WaitKind


def test_foreign_text_is_harmless_and_its_control_characters_are_visible():
    text = '\x1b[1;31mred\x1b[0m\x1b]0;title\x07 a\x00b\x07\x7f\x9b\ud800'
    assert formatting.clean(text) == 'red a\u2400b\u2407\u2421\ufffd\ufffd'
    assert formatting.clean('one\r\ntwo\rthree\tfour') == 'one\ntwo\nthree\tfour'
    assert formatting.clean(b'\x1b') == "b'\\x1b'"


def test_text_is_cut_to_its_length():
    assert formatting.cut('abcdef', 4) == 'abc…'
    assert formatting.cut('abcd', 4) == 'abcd'
    assert len(formatting.cut('x' * 100_000, 50)) == 50
    assert formatting.cut('a   bcd', 4) == 'a…'


def test_the_first_line_is_the_first_that_says_something():
    assert formatting.first_line('\n \n KeyError \nmore') == 'KeyError'
    assert formatting.first_line('') == ''
    assert formatting.first_line('x' * 500) == 'x' * 199 + '…'


def test_a_runner_is_called_by_its_class():
    assert [formatting.class_name(path) for path in ('app.jobs.Sync', 'Sync', '')] == ['Sync', 'Sync', '']


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [
        (0, '0 s'),
        (-3, '0 s'),
        (0.12, '120 ms'),
        (0.9999, '1 s'),
        (1, '1 s'),
        (3.21, '3.2 s'),
        (5.04, '5 s'),
        (9.96, '10 s'),
        (59, '59 s'),
        (59.7, '1 min'),
        (60, '1 min'),
        (61.4, '1 min 1 s'),
        (250, '4 min 10 s'),
        (3600, '1 h'),
        (3601, '1 h'),
        (3725, '1 h 2 min'),
        (90_000, '1 d 1 h'),
        (timedelta(days=1234, minutes=59), '1,234 d'),
        (None, ''),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds, text):
    assert formatting.duration(seconds) == text


def test_a_duration_in_one_unit_is_not_rounded_up():
    assert [formatting.duration(seconds, 1) for seconds in (3.9, 119, 7199, 86_399)] == ['4 s', '1 min', '1 h', '23 h']


def test_numbers_have_separators_and_counts_a_limit():
    assert (formatting.number(12345), formatting.number(1234.56, 1)) == ('12,345', '1,234.6')
    assert (formatting.capped(5000, 5000), formatting.capped(5001, 5000)) == ('5,000', '5,000+')
    assert (formatting.percent(25), formatting.amount(120, 480), formatting.amount(1200, None)) == (
        '25%', '120 of 480', '1,200 done',
    )  # fmt: skip
    assert [formatting.rate(rate) for rate in (40.2, 3.26, 0.5, 0.05, 0.001, 0.0001, 0)] == [
        '40 per second', '3.3 per second', '30 per minute', '3.0 per minute', '3.6 per hour', '8.6 per day',
        '0 per day',
    ]  # fmt: skip
    assert formatting.remaining(timedelta(seconds=8.7)) == 'about 9 s left'


def test_other_languages_have_their_own_separators():
    with translation.override('de'):
        assert (formatting.number(12345), formatting.duration(3.21)) == ('12.345', '3,2 s')
        assert formatting.capped(5001, 5000) == '5.000+'
        assert formatting.moment(datetime(2020, 3, 4, 5, 6, 7, tzinfo=UTC)).startswith('2020-03-04 ')


def test_a_moment_is_in_the_active_time_zone_and_has_no_date_if_it_is_today():
    moment = datetime(2020, 3, 4, 23, 30, 5, 42_000, tzinfo=UTC)
    with timezone.override('Europe/Berlin'):
        assert formatting.moment(moment) == formatting.full_moment(moment) == '2020-03-05 00:30:05'
        assert formatting.exact_moment(moment) == '2020-03-05 00:30:05 CET'
        assert (formatting.date(moment), formatting.hour(moment)) == ('2020-03-05', '00:30')
        assert formatting.log_time(moment) == '00:30:05.042'
        now = timezone.now()
        assert formatting.moment(now) == f'{timezone.localtime(now):%H:%M:%S}'
    assert formatting.iso(moment) == '2020-03-04T23:30:05.042000+00:00'
    assert formatting.full_moment(datetime(2020, 3, 4, 5, 6, 7)) == '2020-03-04 05:06:07'  # USE_TZ = False
    empty = (formatting.moment, formatting.full_moment, formatting.exact_moment, formatting.relative, formatting.age)
    assert {text(None) for text in empty} == {''}
    assert formatting.iso(None) is None


def test_relative_moments_have_one_unit():
    now = timezone.now()
    assert formatting.relative(now - timedelta(minutes=3, seconds=50)) == '3 min ago'
    assert formatting.relative(now + timedelta(hours=2, minutes=1)) == 'in 2 h'
    assert formatting.age(now - timedelta(minutes=3, seconds=50)) == '3 min 50 s'


@pytest.mark.parametrize(
    ('interval', 'cron', 'zone', 'text'),
    [
        (1, '', '', 'every minute'),
        (5, '', '', 'every 5 minutes'),
        (90, '', '', 'every 90 minutes'),
        (60, '', '', 'every hour'),
        (180, '', '', 'every 3 hours'),
        (1440, '', '', 'every day'),
        (10_080, '', '', 'every 7 days'),
        (None, '0 3 * * *', '', 'at 03:00 every day'),
        (None, '0 3 * * mon-fri', 'Europe/Berlin', 'at 03:00 on Monday through Friday (Europe/Berlin)'),
        (None, 'no cron', '', 'no cron'),
        (None, '', '', 'once'),
    ],
)
def test_a_recurrence_is_in_words(interval, cron, zone, text):
    assert formatting.recurrence(interval, cron, zone) == text


def test_cron_is_itself_in_other_languages():
    with translation.override('de'):
        assert formatting.recurrence(None, '0 3 * * *', 'Europe/Berlin') == '0 3 * * * (Europe/Berlin)'


def test_states_are_words():
    assert formatting.status('running') == formatting.status('running', stopping=False) == 'Running'
    assert formatting.status('running', stopping=True) == 'Stopping'
    assert formatting.status('canceled', stopping=True) == 'Canceled'
    assert formatting.status('\x1b[1mnew') == 'new'
    assert [formatting.schedule_state(state) for state in ('active', 'suspended')] == ['Active', 'Suspended']
    assert [formatting.queue_state(state) for state in ('active', 'no_worker')] == ['Active', 'No worker']
    assert formatting.attempt(2) == 'attempt 2'


@pytest.mark.parametrize(
    ('wait', 'text'),
    [
        (Wait(WaitKind.JOBS, jobs=(3,)), 'waits for job 3'),
        (Wait(WaitKind.JOBS, jobs=(3, 4)), 'waits for jobs 3, 4'),
        (Wait(WaitKind.JOBS, jobs=(3, 4), more=1200), 'waits for jobs 3, 4 and 1,200 more'),
        (Wait(WaitKind.JOBS), 'waits for other jobs'),
        (Wait(WaitKind.PREVIOUS, jobs=(3,)), 'waits for the previous occurrence, job 3'),
        (Wait(WaitKind.PREVIOUS), 'waits for the previous occurrence'),
        (Wait(WaitKind.SCHEDULE_PAUSED, schedule=7), 'schedule 7 is paused'),
        (Wait(WaitKind.SCHEDULE_PAUSED), 'its schedule is paused'),
        (Wait(WaitKind.QUEUE_PAUSED, queue='low'), 'the queue low is paused'),
        (Wait(WaitKind.DUE, until=datetime(2020, 1, 2, 3, 4, 5)), 'due at 2020-01-02 03:04:05'),
        (
            Wait(WaitKind.BACKOFF, until=datetime(2020, 1, 2, 3, 4, 5), attempt=2),
            'attempt 2 is due at 2020-01-02 03:04:05',
        ),
        (Wait(WaitKind.NO_WORKER, queue='low\x1b[2J'), 'no worker serves the queue low'),
        (Wait(WaitKind.REDIS, queue='low'), 'Redis does not answer; the job runs when Redis is back'),
        (Wait(WaitKind.IN_LINE, queue='low'), 'waits in line in the queue low'),
        (Wait(WaitKind.IN_LINE, queue='low', more=1), 'waits in line in the queue low behind 1 other job'),
        (Wait(WaitKind.IN_LINE, queue='low', more=1001), 'waits in line in the queue low behind 1,000+ other jobs'),
    ],
)
def test_every_reason_to_wait_has_words(wait, text):
    assert reasons.in_words(wait) == text


def test_no_kind_of_wait_is_without_words():
    moment = datetime(2020, 1, 2, 3, 4, 5)
    words = [reasons.in_words(Wait(kind, until=moment)) for kind in WaitKind]
    assert all(words) and len(set(words)) == len(words)

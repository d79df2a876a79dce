"""What settings and options are refused: values of another type, beyond what can be stored, or that are no number."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from netbox_jobs import checks
from netbox_jobs.core import conf, queues
from netbox_jobs.enqueue.rq_options import seconds
from netbox_jobs.jobs import JobRunner, Limit

pytestmark = [pytest.mark.unit, pytest.mark.once]

NO_NUMBERS = (None, True, '5', b'5', [5], {}, 5j, float('nan'), float('inf'), -float('inf'), -1, 10**400)


def ids(value):
    return f'{value!r:.20}'


@pytest.mark.parametrize('value', NO_NUMBERS, ids=ids)
@pytest.mark.parametrize('name', ['max_crashes', 'stop_grace'])
def test_a_number_of_a_runner_that_is_none_stops_the_start_up(name, value):
    with pytest.raises(ImproperlyConfigured, match=f'{name} is .*; expected a .*number'):
        type('Wrong', (JobRunner,), {'run': lambda self: None, 'Meta': type('Meta', (), {name: value})})


@pytest.mark.parametrize('value', [0, 1, 10_000])
def test_a_number_of_crashes_that_can_be_counted_is_accepted(value):
    type('Right', (JobRunner,), {'run': lambda self: None, 'Meta': type('Meta', (), {'max_crashes': value})})
    with pytest.raises(ImproperlyConfigured, match='whole number'):
        type('Wrong', (JobRunner,), {'run': lambda self: None, 'Meta': type('Meta', (), {'max_crashes': value + 0.5})})


@pytest.mark.parametrize('value', [*NO_NUMBERS, 0, 2.0, conf.MOST_AT_ONCE + 1], ids=ids)
def test_a_limit_that_no_row_can_hold_is_refused(value):
    with pytest.raises(ValueError, match=r'expected a whole number from 1 to 1,000,000\.'):
        Limit(value)
    with (
        override_settings(NETBOX_JOBS={'QUEUES': {'low': {'concurrency': value}}}),
        pytest.raises(ImproperlyConfigured, match='whole numbers from 1 to 1,000,000'),
    ):
        conf.get('QUEUES')


@pytest.mark.parametrize('value', [*NO_NUMBERS, 2.5, 100_001], ids=ids)
def test_days_of_retention_that_no_date_lies_before_are_refused(value):
    with override_settings(JOB_RETENTION=value), pytest.raises(ImproperlyConfigured, match='up to 100,000, or 0'):
        conf.retention()


LENGTHS = [True, {}, [], 5j, float('nan'), float('inf'), 10**400, 1.5, '', 'x', 0, -2]


@pytest.mark.parametrize('value', LENGTHS, ids=ids)
def test_a_time_limit_that_is_none_is_refused_with_a_sentence(value):
    if value != '5':
        with pytest.raises(ValueError, match='job_timeout is '):
            seconds('job_timeout', value)


@pytest.mark.parametrize('name', conf.SETTINGS)
@pytest.mark.parametrize('value', [None, 5j, object(), float('nan'), -1, [5], {'a': 5}, -(10**400)], ids=ids)
def test_no_setting_takes_what_is_of_no_use_to_it(name, value):
    with (
        override_settings(NETBOX_JOBS={name: value}),
        pytest.raises(ImproperlyConfigured, match=f"NETBOX_JOBS\\['{name}'\\] is "),
    ):
        conf.get(name)


@pytest.mark.parametrize(
    ('configured', 'message'),
    [
        ({'low': 'redis://localhost'}, "['low'] is 'redis://localhost'; expected a dictionary"),
        ({'low': None}, "['low'] is None; expected a dictionary"),
        ({5: {}}, 'has the queue 5; expected a text'),
        ({None: {}, 'low': {}}, 'has the queue None; expected a text'),
        ({'low': {'ASYNC': 'False'}}, "['ASYNC'] is 'False'; expected True or False"),
        ({'low': {'ASYNC': 0}}, "['ASYNC'] is 0; expected True or False"),
        ({'low': {'DEFAULT_TIMEOUT': float('inf')}}, "['DEFAULT_TIMEOUT'] is inf; expected seconds"),
        ({'low': {'DEFAULT_TIMEOUT': True}}, "['DEFAULT_TIMEOUT'] is True; expected seconds"),
    ],
    ids=str,
)
def test_the_check_names_what_is_wrong_with_a_queue(configured, message):
    with override_settings(RQ_QUEUES={'default': {}, 'high': {}, 'low': {}, **configured}):
        found = checks.check_queues()
    assert [error.id for error in found] == ['netbox_jobs.E013']
    assert message in found[0].msg


def test_the_queues_of_the_tests_have_nothing_wrong():
    assert checks.check_queues() == []
    assert queues.check_options('x', {'ASYNC': False}) is None

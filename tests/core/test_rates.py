"""What a runner and the settings may say of rates."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from netbox_jobs.core import conf, rates
from netbox_jobs.core.limits import Allowance, Limit
from netbox_jobs.core.reasons import in_words
from netbox_jobs.core.waits import Wait, WaitKind
from netbox_jobs.jobs import JobRunner, Rate
from tests.windows import most_within

pytestmark = [pytest.mark.unit, pytest.mark.once]


@pytest.mark.parametrize('arguments', [(0, 1), (True, 1), ('3', 1), (1, 0), (1, True), (1, '1'), (1, 10**9), (1, 1, 7)])
def test_a_rate_that_is_not_acceptable_is_refused(arguments):
    with pytest.raises(ValueError, match=r'rate|per'):
        Rate(*arguments)


@pytest.mark.parametrize('meta', [{'rate': 3}, {'rate': Limit(3)}, {'rate': Rate(3, 1, key='tenat')}])
def test_a_rate_of_a_runner_that_is_not_acceptable_is_refused_when_the_class_is_made(meta):
    with pytest.raises(ImproperlyConfigured, match='rate'):
        type('Wrong', (JobRunner,), {'Meta': type('Meta', (), meta), 'run': lambda self, tenant: None})


def test_a_rate_and_a_limit_of_one_name_are_two_and_so_are_a_rate_of_a_runner_and_one_of_the_settings():
    names = {
        Rate(1, per=1, name='api').name_for('app.Runner', print, {}),
        Limit(1, name='api').name_for('app.Runner', print, {}),
        rates.configured_name('api'),
        rates.configured_name('api', 'main'),
        Rate(1, per=1).name_for('app.Runner', print, {}),
    }
    assert len(names) == 5


def test_a_span_is_never_shorter_than_it_says():
    assert Rate(1, per=0.0101).allowance == Allowance(1, 11)


@pytest.mark.parametrize('wrong', [[], {'api': 3}, {'api': {'most': 0, 'per': 1}}, {'api': {'most': 1}}, {1: {}}])
def test_a_setting_of_rates_that_is_not_acceptable_is_refused(wrong):
    with override_settings(NETBOX_JOBS={'RATES': wrong}):
        assert [kind for kind, _text in conf.problems()] == ['value']
        with pytest.raises(ImproperlyConfigured, match='RATES'):
            rates.configured('api')


def test_a_rate_that_is_not_in_the_settings_is_named_with_those_that_are():
    with override_settings(NETBOX_JOBS={'RATES': {'erp': {'most': 2, 'per': 0.5}}}):
        assert rates.configured('erp') == Allowance(2, 500)
        with pytest.raises(ImproperlyConfigured, match=r"no rate 'api'.*has 'erp'"):
            rates.configured('api')


def test_the_reason_says_the_rate():
    text = in_words(Wait(WaitKind.RATE, limit='shop.jobs.SyncJob tenant=a', most=100, per=60))
    assert text == 'waits for a rate: at most 100 jobs of shop.jobs.SyncJob tenant=a begin within 1 min'
    text = in_words(Wait(WaitKind.RATE, limit='api', most=1, per=60))
    assert text == 'waits for a rate: at most 1 job of api begins within 1 min'
    text = in_words(Wait(WaitKind.LIMIT, limit='shop.jobs.SyncJob', most=1))
    assert text == 'waits for a slot: at most 1 job of shop.jobs.SyncJob runs at once'


def test_the_count_of_the_tests_counts_what_lies_within_a_span():
    assert most_within(1, [0, 0.4, 1.0, 1.1, 1.39]) == 4
    assert most_within(1, [0, 1, 2]) == 1

"""What a runner and the settings may say of limits."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from netbox_jobs.core.limits import LONGEST_NAME, Limit
from netbox_jobs.jobs import JobRunner
from tests.app.jobs import Plain


def test_a_long_name_is_cut_and_stays_one_of_its_own():
    limit = Limit(1, key='text')
    one, other = (limit.name_for('app.Runner', lambda text: None, {'text': 'x' * 300 + end}) for end in 'ab')
    assert len(one) == len(other) == LONGEST_NAME and one != other


@pytest.mark.parametrize(
    'meta',
    [
        {'concurrency': 0},
        {'concurrency': True},
        {'concurrency': '3'},
        {'concurrency': 3, 'limit': Limit(3)},
        {'limit': 3},
        {'limit': Limit(3, key='tenat')},
    ],
)
def test_a_limit_that_is_not_acceptable_is_refused_when_the_class_is_made(meta):
    with pytest.raises(ImproperlyConfigured, match=r'concurrency|limit'):
        type('Wrong', (JobRunner,), {'Meta': type('Meta', (), meta), 'run': lambda self, tenant: None})


@pytest.mark.parametrize('queues', [{'low': 3}, {'low': {'concurrency': 0}}, {'low': {}}, []])
def test_a_setting_of_queues_that_is_not_acceptable_is_refused(queues):
    with override_settings(NETBOX_JOBS={'QUEUES': queues}), pytest.raises(ImproperlyConfigured, match='QUEUES'):
        Plain.enqueue()

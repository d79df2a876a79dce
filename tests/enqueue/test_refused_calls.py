"""P8: `enqueue()` refuses what is wrong with a call, and names it."""

import threading
from datetime import datetime, timedelta
from datetime import timezone as timezone_of

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django.utils import timezone

from netbox_jobs.exceptions import UnknownQueue
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import (
    Plain,
)
from tests.app.models import Thing
from tests.enqueue.delivered import ids_in_rq

pytestmark = pytest.mark.django_db(transaction=True)


def bad(**given):
    return given


@pytest.mark.once
@pytest.mark.parametrize(
    ('given', 'error', 'words'),
    [
        (bad(queue_name='nowhere'), UnknownQueue, "the queues are 'default'"),
        (bad(schedule_at=datetime(2030, 1, 1)), ValueError, 'naive datetime'),
        (bad(schedule_at='tomorrow'), ValueError, 'expected a datetime'),
        (bad(schedule_at=timezone.now(), immediate=True), ValueError, 'exclude each other'),
        (bad(interval=0), ValueError, '1 or more'),
        (bad(interval=-5), ValueError, '1 or more'),
        (bad(interval=1.5), ValueError, 'whole number of minutes'),
        (bad(interval=True), ValueError, 'whole number of minutes'),
        (bad(interval=2**31), ValueError, 'at most'),
        (bad(instance=Thing(), immediate=True), ValueError, 'unsaved'),
        (bad(instance='thing'), TypeError, 'model object'),
        (bad(name='n' * 201), ValueError, '201 characters'),
        (bad(notifications='sometimes'), ValueError, 'always, on_failure, never'),
        (bad(user='ada'), ValueError, 'saved auth.User'),
        (bad(job_timeout='soon'), ValueError, 'job_timeout'),
        (bad(job_timeout=0), ValueError, 'job_timeout'),
        (bad(meta=[1]), ValueError, 'meta'),
        (bad(meta={'a': object()}), TypeError, r"meta\['a'\]"),
        (bad(on_success=lambda *a: None), ValueError, 'on_success'),
        (bad(depends_on=[3.5]), ValueError, 'depends_on'),
        (bad(word=threading.Lock()), TypeError, "'word'"),
        (bad(word=lambda: None), TypeError, "'word'"),
    ],
)
def test_p8_bad_input_is_an_error_at_the_call_and_nothing_is_written(given, error, words):
    with pytest.raises(error, match=words):
        Plain.enqueue(**given)
    assert not Job.objects.exists()
    assert not Schedule.objects.exists()
    assert ids_in_rq() == []


@pytest.mark.once
@pytest.mark.parametrize('call', ['lambda', 'nested', 'class', 'text', 'instance method'])
def test_p8_what_a_worker_cannot_import_is_refused(call):
    def nested(job):
        pass

    class Nested(JobRunner):
        def run(self):
            pass

    targets = {
        'lambda': lambda job: None,
        'nested': nested,
        'class': Nested.handle,
        'text': 'tests.app.jobs.plain_function',
        'instance method': threading.Event().set,
    }
    with pytest.raises((ValueError, TypeError)):
        Job.enqueue(targets[call])
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ('given', 'words'),
    [
        ({'job_timeout': 10**12}, 'at most 2147483647 seconds'),
        ({'cron': f'{",".join(str(n % 60) for n in range(80))} * * * *'}, 'at most 200'),
        ({'schedule_at': datetime.max.replace(tzinfo=timezone_of(timedelta(hours=-5)))}, 'up to the year'),
        ({'queue_name': ['default']}, 'no queue'),
        ({'max_retries': 10**9}, '0 to 10000'),
        ({'immediate': True, 'depends_on': 'x'}, 'exclude each other'),
    ],
)
def test_p8_what_no_column_holds_is_an_error_at_the_call(given, words):
    with pytest.raises(ValueError, match=words):
        Plain.enqueue(**given)
    assert not Job.objects.exists()


def test_an_empty_name_of_a_queue_is_the_default():
    assert Plain.enqueue(queue_name='').queue_name == 'default'


@pytest.mark.once
def test_p8_a_callback_of_main_is_refused():
    def here(*args):
        return None

    here.__module__, here.__qualname__ = '__main__', 'here'
    with pytest.raises(ValueError, match=r'__main__\.here'):
        Plain.enqueue(on_failure=here)


@pytest.mark.once
def test_a_runner_without_run_is_refused():
    with pytest.raises(TypeError, match='does not implement run'):
        JobRunner.enqueue()


@pytest.mark.once
def test_a_missing_default_queue_is_said_at_the_call():
    with override_settings(RQ_QUEUES={}), pytest.raises(ImproperlyConfigured, match="'default'"):
        Plain.enqueue()
    assert not Job.objects.exists()

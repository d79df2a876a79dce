"""The options of RQ: those that are handed on, and those that are refused."""

import pytest

from netbox_jobs.broker import delivery
from netbox_jobs.exceptions import UnsupportedOption
from netbox_jobs.models import Job
from tests.app.jobs import (
    Erring,
    Plain,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_rq_options_go_to_rq_and_not_to_run(work):
    job = Plain.enqueue(
        job_timeout=77,
        result_ttl=5,
        failure_ttl=0,
        at_front=True,
        meta={'m': 1},
        description='about',
        word='x',
        retry=None,
    )
    found = delivery.queue('default').fetch_job(str(job.job_id))
    assert (found.timeout, found.result_ttl, found.failure_ttl) == (77, 5, 0)
    assert (found.meta, found.description) == ({'m': 1}, 'about')
    work()
    job.refresh_from_db()
    assert job.data == {'word': 'x'}


def test_callbacks_of_rq_are_called(work):
    ok = Plain.enqueue(on_success=callback, on_failure=failure_callback)
    bad = Erring.enqueue(on_success=callback, on_failure=failure_callback)
    CALLED.clear()
    work()
    assert [('success', str(ok.job_id)), ('failure', str(bad.job_id))] == CALLED


CALLED = []


def callback(job, connection, result, *args, **kwargs):
    CALLED.append(('success', job.id))


def failure_callback(job, connection, kind, value, traceback):
    CALLED.append(('failure', job.id))


@pytest.mark.parametrize('option', ['job_id', 'pipeline', 'repeat', 'retry', 'unique'])
def test_options_that_would_undermine_the_row_are_refused_with_a_sentence(option):
    with pytest.raises(UnsupportedOption, match=option):
        Plain.enqueue(**{option: 'x'})
    assert not Job.objects.exists()

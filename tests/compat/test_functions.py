"""Functions instead of runners, rows made by hand, and stages, in the style of plugins."""

import pytest

from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job
from tests.app.jobs import (
    TakingAll,
    function_with_another_name,
    function_with_job_by_name,
    function_with_job_last,
)
from tests.app.models import Thing
from tests.compat import (
    legacy_tasks,
    pipeline,
    report_function,
)
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ('function', 'given', 'data'),
    [
        (report_function.generate_report, {'lines': 3}, {'lines': 3, 'object': 'thing'}),
        (report_function.Reports.weekly, {}, 'weekly'),
        (report_function.Reports.monthly, {}, 'monthly by Reports'),
    ],
)
@pytest.mark.parametrize('immediate', [False, True])
def test_functions_instead_of_a_class(work, function, given, data, immediate):
    job = Job.enqueue(function, instance=Thing.objects.create(), name='Report', immediate=immediate, **given)
    work()
    assert (status(job), job.data, job.name) == ('completed', data, 'Report')


def test_a_function_that_ends_its_job_as_errored(work):
    job = Job.enqueue(report_function.generate_report)
    work()
    assert (status(job), job.error) == ('errored', "missing argument 'lines'")


def test_stages_that_depend_on_each_other(work, user):
    collect, publish = pipeline.enqueue_pipeline([1, 2, 3], user=user)
    assert (collect.queue_name, publish.queue_name) == ('default', 'high')
    work()
    work()
    assert (status(collect), status(publish)) == ('completed', 'completed')
    assert publish.data == {'published': 6}


def test_rows_made_by_hand_for_functions_of_rq(work):
    job = legacy_tasks.start_task(Thing.objects.create())
    assert recovery.redeliver_vanished() == 0
    work()
    assert (status(job), job.data) == ('completed', {'done': True})


@pytest.mark.parametrize(
    ('function', 'given', 'data'),
    [
        (function_with_job_last, {'word': 'x'}, {'word': 'x', 'more': None}),
        (function_with_job_by_name, {'word': 'x'}, {'word': 'x'}),
        (function_with_another_name, {'word': 'x'}, {'word': 'x'}),
        (TakingAll.handle, {'word': 'x'}, ['seen', 'x']),
    ],
)
@pytest.mark.parametrize('immediate', [False, True])
def test_a_job_is_passed_by_its_name_wherever_that_stands(work, function, given, data, immediate):
    job = Job.enqueue(function, immediate=immediate, **given)
    work()
    assert (status(job), Job.objects.get(pk=job.pk).data) == ('completed', data)

"""More open descriptors than `select()` takes."""

import pytest

from tests.app.jobs import Dying, Plain
from tests.processes import status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]


@pytest.mark.parametrize('arguments', [(), ('--fast',)])
def test_a_worker_with_more_than_1024_descriptors_runs_jobs_and_ends(start_worker, arguments):
    worker = start_worker('default', *arguments, DJANGO_SETTINGS_MODULE='tests.projects.descriptors')
    jobs = [Plain.enqueue(), Plain.enqueue(), Dying.enqueue(how='exit'), Plain.enqueue()]
    wait_for(lambda: {status(job) for job in jobs} <= {'completed', 'errored'})
    assert [job.status for job in jobs] == ['completed', 'completed', 'errored', 'completed'], worker.output
    assert worker.stop() == 0
    assert 'Traceback' not in worker.output

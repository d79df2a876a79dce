"""The system has no room for another process: a worker waits for it, and loses nothing that it has taken."""

import pytest

from tests.app.jobs import Plain
from tests.processes import status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process, pytest.mark.once]


@pytest.mark.parametrize('arguments', [(), ('--fast',)])
def test_p1_a_worker_that_cannot_fork_puts_its_jobs_back_and_tries_again(start_worker, tmp_path, arguments):
    full = tmp_path / 'full'
    full.touch()
    worker = start_worker('default', *arguments, TEST_FORKS_FAIL=str(full))
    job = Plain.enqueue()
    wait_for(lambda: worker.output.count('No child could be forked') > 1)
    assert (status(job), job.attempt, worker.process.poll()) == ('pending', 0, None)
    full.unlink()
    wait_for(lambda: status(job) == 'completed')
    assert job.attempt == 1

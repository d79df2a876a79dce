"""Nothing that `run()` leaves prevents the end of its job."""

import os

import pytest
from django.db import transaction

from netbox_jobs.execution.entry import attending
from netbox_jobs.jobs import JobRunner
from netbox_jobs.lifecycle import claim
from tests.app.jobs import Plain
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


class Unprintable(Exception):
    def __repr__(self):
        raise KeyError('x')


class Unlookable(dict):
    def items(self):
        raise KeyError('lazy')


@pytest.mark.parametrize('worker', [False, True])
def test_nothing_that_run_leaves_prevents_the_end(work, worker):
    class Raising(JobRunner):
        def run(self):
            raise Unprintable

    class Lazy(JobRunner):
        def run(self):
            self.job.data = {'a': Unlookable(b=1)}

    class Wordy(JobRunner):
        def run(self):
            raise RuntimeError('x' * 2_000_000)

    class Open(JobRunner):
        def run(self):
            transaction.set_autocommit(False)

    class Yielding(JobRunner):
        def run(self):
            yield 1

    def handle(runner, job):
        with attending(job) as run:
            run.call(lambda: runner.handle(job))

    expected = {
        Raising: ('errored', '<Unprintable: its repr() raised KeyError>'),
        Lazy: ('errored', "job.data['a'] (Unlookable) cannot be stored as JSON: KeyError('lazy')"),
        Wordy: ('errored', '… (2,000,016 characters)'),
        Open: ('completed', ''),
        Yielding: ('errored', 'contains a yield'),
    }
    for runner, (outcome, words) in expected.items():
        if worker:
            job = Plain.enqueue()
            handle(runner, claim.claim(str(job.job_id), 'w', 'default'))
        else:
            job = runner.enqueue(immediate=True)
        job.refresh_from_db()
        assert job.status == outcome
        assert words in job.error
        assert len(job.error) < 1_000_000
    assert transaction.get_autocommit()


@pytest.mark.process
def test_a_copy_of_the_process_that_run_has_forked_ends_with_run():
    class Forking(JobRunner):
        def run(self):
            pid = os.fork()
            if pid == 0:
                raise SystemExit(0)
            self.job.data = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    job = Forking.enqueue(immediate=True)
    assert (status(job), job.data) == ('completed', 1)

"""`manage.py jobs cancel`, `stop` and `retry`, and the questions before them."""

import pytest

from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Plain, plain_function
from tests.app.models import Thing
from tests.processes import status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


# cancel, stop


def test_cancel_ends_what_waits_and_says_why_not(jobs):
    waiting, running, ended = Plain.enqueue(), Plain.enqueue(), Plain.enqueue(immediate=True)
    running.start()
    said = jobs('cancel', waiting.pk, '--yes')
    assert (said.code, said.out) == (0, f'Job {waiting.pk} (Plain): canceled.\n')
    assert status(waiting) == 'canceled'
    said = jobs('cancel', '-y', running.pk, ended.job_id)
    assert said.code == 1
    assert said.err.splitlines() == [
        f'Job {running.pk} (Plain): it is running and cannot be canceled; stop it with "jobs stop {running.pk}".',
        f'Job {ended.pk} (Plain): it has already ended as completed.',
    ]
    assert status(running) == 'running'


def test_nothing_is_done_if_one_of_the_ids_is_unknown(jobs):
    job = Plain.enqueue()
    assert jobs('cancel', '--yes', job.pk, 99999).code == 2
    assert status(job) == 'pending'


def test_stop_ends_what_runs_and_cancels_what_waits(jobs):
    waiting, running, ended = Plain.enqueue(), Plain.enqueue(), Plain.enqueue(immediate=True)
    running.start()
    said = jobs('stop', '--yes', waiting.pk, running.pk)
    assert said.code == 0
    assert said.out.splitlines() == [f'Job {waiting.pk} (Plain): canceled.', f'Job {running.pk} (Plain): stopping.']
    running.refresh_from_db()
    assert running.stopping is not None
    said = jobs('stop', '--yes', running.pk)
    assert said.code == 0
    assert 'already stopping since ' in said.out
    said = jobs('stop', '--yes', ended.pk)
    assert (said.code, said.err) == (1, f'Job {ended.pk} (Plain): it has already ended as completed.\n')


@pytest.mark.parametrize('command', ['cancel', 'stop', 'prune', 'schedules end'])
def test_what_cannot_be_taken_back_asks_on_a_terminal_and_wants_yes_elsewhere(jobs, command):
    job = Plain.enqueue_once(interval=60)
    old = Plain.enqueue(immediate=True)
    Job.objects.filter(pk=old.pk).update(created='2020-01-01T00:00Z', completed='2020-01-01T00:00Z')
    ids = {'prune': (), 'schedules end': (job.schedule_id,)}.get(command, (job.pk,))

    def untouched():
        return Job.objects.waiting().count() == 1 and Schedule.objects.count() == 1 and Job.objects.count() == 2

    said = jobs(*command.split(), *ids)
    assert (said.code, said.out) == (2, '')
    assert 'pass --yes to confirm' in said.err
    for answer in ('', '\n', 'n\n', 'what?\n'):
        said = jobs(*command.split(), *ids, answer=answer)
        assert (said.code, said.out) == (1, '')
        assert '? [y/N] Nothing was done.' in said.err
        if ids:
            assert f' {ids[0]} "Plain"? [y/N]' in said.err
        assert untouched()
    assert jobs(*command.split(), *ids, answer='y\n').code == 0
    assert not untouched()


def test_a_question_names_ten_and_counts_the_rest(jobs):
    pks = [Plain.enqueue().pk for _ in range(12)]
    said = jobs('cancel', *pks, answer='n\n')
    assert 'and 2 more' in said.err
    assert 'Cancel 12 jobs?' in said.err


# retry


def test_retry_enqueues_once_more(jobs, work):
    job = Plain.enqueue(word='again')
    said = jobs('retry', job.pk)
    assert (said.code, said.out) == (1, '')
    assert said.err.startswith(f'Job {job.pk} (Plain) was not retried: Job {job.pk} (Plain) is pending')
    work()
    said = jobs('retry', job.pk, job.job_id)
    new = Job.objects.get(retry_of=job)
    assert (said.code, said.out) == (0, f'Job {job.pk} (Plain): enqueued again as job {new.pk}.\n')
    work()
    new.refresh_from_db()
    assert new.data == {'word': 'again'}


def test_retry_says_what_is_missing(jobs):
    thing = Thing.objects.create()
    gone, changed = Plain.enqueue(about=thing, immediate=True), Plain.enqueue(immediate=True)
    thing.delete()
    Job.objects.filter(pk=changed.pk).update(runner='gone.away.Job')
    said = jobs('retry', gone.pk, changed.pk)
    assert said.code == 1
    assert 'no longer exists' in said.err.splitlines()[0]
    assert 'not signed' in said.err.splitlines()[1], 'what was changed outside the app names no module to be imported'


def test_jobs_of_plain_functions_can_be_retried(jobs, work):
    job = Job.enqueue(plain_function, word='w', immediate=True)
    assert jobs('retry', job.pk).code == 0
    work()
    assert Job.objects.get(retry_of=job).data == {'word': 'w'}

"""`manage.py jobs errors`, `why`, and actions on all jobs that match."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


class Fragile(JobRunner):
    """Fails in one way."""

    def run(self, host):
        raise ValueError(f'no route to {host}\x1b[31m')


@pytest.fixture
def failed():
    """Three jobs that errored in the same way."""
    return [Fragile.enqueue(host=f'10.0.0.{number}', immediate=True) for number in range(3)]


def run(*arguments):
    out = io.StringIO()
    call_command('jobs', *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_errors_of_one_cause_are_one_line(failed):
    lines = run('errors').splitlines()
    assert len(lines) == 2
    assert 'ValueError: no route to 10.0.0.2 (new)' in lines[1]
    assert '\x1b' not in lines[1]
    [document] = json.loads(run('errors', '--json', '--since', '2h'))
    assert (document['jobs'], document['newest_job']) == (3, failed[2].pk)
    assert document['fingerprint'] in lines[1]


def test_no_errors_are_no_lines():
    assert run('errors', '--queue', 'low').endswith('No job ended with an error since 1d.\n')


def test_all_failures_of_one_cause_are_retried(failed, work):
    document = json.loads(run('retry', '--filter', f'error={failed[0].fingerprint}', '--yes', '--json'))
    assert document['matched'] == 3
    work()
    assert status(Job.objects.get(pk=document['job'])) == 'completed'
    assert Job.objects.exclude(retry_of=None).count() == 3


def test_a_filter_that_matches_nothing_changes_nothing(failed):
    assert run('cancel', '--filter', 'status=pending', '--filter', 'queue=low', '--yes') == 'No jobs match.\n'
    assert Job.objects.count() == 3


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['retry'], 'Name either the IDs of jobs, or --filter'),
        (['retry', '1', '--filter', 'queue=low'], 'Name either the IDs of jobs, or --filter'),
        (['retry', '--filter', 'queue'], "'queue' is not a filter; expected name=value"),
        (['retry', '--filter', 'que=low'], "'que' is not a filter of jobs; expected one of status"),
        (['retry', '--filter', 'status=broken'], "'broken' is not a status; expected one of pending"),
        (['retry', '--filter', 'created_from=soon'], "'soon' is not a time"),
        (['retry', '--filter', 'status=errored'], 'Standard input is not a terminal; pass --yes'),
        (['errors', '--since', '2999-01-01'], 'lies in the future'),
    ],
)
def test_a_wrong_call_changes_nothing_and_says_what_was_expected(arguments, message, failed):
    with pytest.raises(CommandError, match=message):
        run(*arguments)
    assert Job.objects.count() == 3


def test_why_says_in_one_sentence_what_a_job_waits_for_or_how_it_ended(failed):
    waiting = Fragile.enqueue(host='x', queue_name='low')
    assert run('why', str(waiting.pk)) == f'Job {waiting.pk} (Fragile): Pending: no worker serves the queue low\n'
    document = json.loads(run('why', str(failed[0].pk), '--json'))
    assert document['why'] == 'Errored: ValueError: no route to 10.0.0.0'


def test_an_error_is_muted_and_unmuted_by_its_fingerprint(failed):
    fingerprint = failed[0].fingerprint
    assert run('mute', fingerprint) == f'The error {fingerprint} is muted.\n'
    assert '(muted)' in run('errors')
    assert run('mute', fingerprint) == f'The error {fingerprint} was muted already.\n'
    assert run('unmute', fingerprint) == f'The error {fingerprint} is no longer muted.\n'
    assert run('unmute', fingerprint) == f'The error {fingerprint} was not muted.\n'
    assert '(muted)' not in run('errors')
    with pytest.raises(CommandError, match='No job ended with the error'):
        run('mute', 'elsewhere')

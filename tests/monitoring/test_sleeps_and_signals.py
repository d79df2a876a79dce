"""Sleeps and signals in the interfaces: why a job waits, its steps, and the command that sends a signal."""

from datetime import timedelta

import pytest
from django.core.management import call_command

from netbox_jobs.core.waits import WaitKind
from netbox_jobs.models import Job, JobStep
from netbox_jobs.monitoring import waiting
from netbox_jobs.testing import run_jobs
from tests.app.waiting import Approved, Sleeping

pytestmark = pytest.mark.django_db(transaction=True)


def reloaded(job):
    return Job.objects.get(pk=job.pk)


def test_p11_sleeps_and_waits_are_reasons_and_stand_on_the_page_and_in_the_terminal(tmp_path, admin_client, capsys):
    for job, kind, phrase, row in (
        (Sleeping.enqueue(path=str(tmp_path / 'notes')), WaitKind.SLEEP, 'sleeps until ', 'sleep'),
        (Approved.enqueue(), WaitKind.SIGNAL, 'waits for the signal approved', 'wait for the signal approved'),
        (
            Approved.enqueue(timeout=timedelta(hours=1)),
            WaitKind.SIGNAL,
            'waits for the signal approved until ',
            'wait for the signal approved',
        ),
    ):
        run_jobs()
        found = waiting.reason(reloaded(job))
        assert (found.kind, found.until is None) == (kind, kind == WaitKind.SIGNAL and 'until' not in phrase)
        page = admin_client.get(f'/admin/netbox_jobs/job/{job.pk}/change/').content.decode()
        assert phrase in page.lower() and f'>{row}<' in page and 'not yet' in page
        for command in ('show', 'why'):
            call_command('jobs', command, str(job.pk))
            assert phrase in capsys.readouterr().out
        call_command('jobs', 'show', str(job.pk), '--json')
        assert '"completed": null' in capsys.readouterr().out
    job.signal('approved')
    run_jobs()
    assert JobStep.objects.filter(job=job, completed=None).count() == 0
    assert waiting.reason(reloaded(job)) is None


def test_the_command_sends_a_signal(capsys):
    job = Approved.enqueue(times=3)
    for more in (['--payload', '{"by": "ann"}'], ['--payload', 'text'], []):
        call_command('jobs', 'signal', str(job.pk), 'approved', *more)
        assert 'the signal approved is sent' in capsys.readouterr().out
    run_jobs()
    assert reloaded(job).data == [{'by': 'ann'}, 'text', None]
    with pytest.raises(SystemExit):
        call_command('jobs', 'signal', str(job.pk), 'approved')
    assert 'is completed' in capsys.readouterr().err

"""`job_start` and `job_end`: once each, after the commit, and harmless when they raise. Decision 4."""

import pytest
from django.db import transaction

from netbox_jobs import recovery
from netbox_jobs.models import Job
from netbox_jobs.signals import job_end, job_start
from tests.app.jobs import Plain
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def test_signals_go_out_once_after_the_commit_with_the_job_as_sender():
    seen = []

    def started(sender, **kwargs):
        seen.append(('start', sender.pk, transaction.get_connection().in_atomic_block))

    def ended(sender, **kwargs):
        seen.append(('end', sender.pk, sender.status))

    job_start.connect(started)
    job_end.connect(ended)
    try:
        with transaction.atomic():
            job = Plain.enqueue(immediate=True)
            assert seen == []
        assert seen == [('start', job.pk, False), ('end', job.pk, 'completed')]
        crashed = Plain.enqueue()
        crashed.start()
        del seen[:]
        recovery.end_orphan(Job.objects.get(pk=crashed.pk), 'gone')
        assert seen == [('end', crashed.pk, 'errored')]
    finally:
        job_start.disconnect(started)
        job_end.disconnect(ended)


def test_a_raising_receiver_is_logged_and_changes_no_status(caplog, work):
    def receiver(sender, **kwargs):
        raise RuntimeError('receiver')

    job_end.connect(receiver)
    try:
        job = Plain.enqueue()
        work()
    finally:
        job_end.disconnect(receiver)
    assert status(job) == 'completed'
    assert 'the job_end receiver' in caplog.text

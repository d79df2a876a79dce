"""Signals to encrypted jobs: unreadable in the tables, readable with the keys, and re-encrypted."""

import pytest
from cryptography.fernet import Fernet

from netbox_jobs.core import encryption
from netbox_jobs.maintenance.reencryption import reencrypt
from netbox_jobs.models import JobSignal
from netbox_jobs.testing import run_jobs
from tests.app.waiting import Approved
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_a_payload_and_a_received_signal_are_encrypted_and_renewed_with_a_new_key(settings, monkeypatch):
    settings.NETBOX_JOBS = {'ENCRYPTION_KEYS': [OLD]}
    monkeypatch.setattr(Approved.Meta, 'encrypted', True, raising=False)
    job = Approved.enqueue(times=3)
    for payload in ('readable', 'readable too'):
        job.signal('approved', payload)
        if payload == 'readable':
            run_jobs()
    waits, signals = list(job.steps.values()), list(JobSignal.objects.values())
    assert len(waits) == 2 and len(signals) == 1 and 'readable' not in f'{waits} {signals}'
    settings.NETBOX_JOBS = {'ENCRYPTION_KEYS': [NEW, OLD]}
    assert reencrypt().changed == 1
    settings.NETBOX_JOBS = {'ENCRYPTION_KEYS': [NEW]}
    ring = encryption.ring()
    assert ring.is_current(bytes(JobSignal.objects.get().payload)) and ring.is_current(bytes(job.steps.first().result))
    job.signal('approved')
    run_jobs()
    job.refresh_from_db()
    assert (status(job), job.data) == ('completed', ['readable', 'readable too', None])

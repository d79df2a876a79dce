"""The audit trail has what is done through the API."""

import pytest

from netbox_jobs.models import AuditEntry
from tests.app.jobs import Plain

pytestmark = pytest.mark.django_db(transaction=True)


def test_actions_through_the_api_are_recorded_with_their_user(boss):
    waiting, done, schedule = Plain.enqueue(), Plain.enqueue(immediate=True), Plain.enqueue_once(interval=5).schedule
    for address in (
        f'jobs/{waiting.pk}/cancel', f'jobs/{done.pk}/retry', f'schedules/{schedule.pk}/pause', 'queues/low/pause',
        'queues/low/resume',
    ):  # fmt: skip
        assert boss.post(f'/api/{address}/').status_code in (200, 201), address
    rows = AuditEntry.objects.order_by('pk')
    assert [(row.action, row.object_type, row.object_id) for row in rows] == [
        ('cancel', 'job', str(waiting.pk)),
        ('retry', 'job', str(done.pk)),
        ('pause', 'schedule', str(schedule.pk)),
        ('pause', 'queue', 'low'),
        ('resume', 'queue', 'low'),
    ]
    assert {(row.user, row.actor, row.face) for row in rows} == {(boss.user, 'boss', 'rest')}
    Plain.enqueue().cancel()
    assert rows.count() == 5, 'the request is over'


def test_all_that_match_are_one_entry_of_the_user_of_the_request(client_of, work):
    Plain.enqueue(immediate=True)
    user = client_of('u', 'view_job', 'retry_job')
    answer = user.post('/api/jobs/retry/', {'status': 'completed'}, format='json')
    acting = answer.json()['job']['id']
    work('default')
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.face, entry.count, entry.details['filter']['job']) == ('u', 'rest', 1, acting)

"""A Redis that answers, and takes nothing: it has no memory left, or has become a read-only replica."""

import pytest
from redis.exceptions import OutOfMemoryError, ReadOnlyError

from netbox_jobs.broker import connection, pattern
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job
from tests.app.jobs import Plain

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


@pytest.mark.parametrize('error', [OutOfMemoryError, ReadOnlyError])
def test_p1_a_redis_that_takes_nothing_is_as_one_that_is_away(error, caplog, monkeypatch):
    def refuse(*args):
        asked.append(args)
        raise error('no')

    asked = []
    with monkeypatch.context() as patch:
        patch.setattr(pattern.Pattern, 'write', refuse)
        first = Plain.enqueue()
        for _ in range(5):
            Plain.enqueue()
        Plain.enqueue_many([{}] * 3)
        assert len(asked) == 1, 'it is left alone for a while'
        assert connection.is_resting('default')
    lines = [record for record in caplog.records if record.name == 'netbox_jobs']
    assert [record.exc_info for record in lines] == [None], 'one line, and no traceback'
    assert f'Job {first.pk} (Plain) is stored' in lines[0].getMessage()
    connection._open_until.clear()
    Job.objects.update(due=1)
    assert recovery.redeliver_vanished() == 9
    assert len(connection.queue('default').job_ids) == 9

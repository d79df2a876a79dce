"""What the tests of jobs about unsaved objects share: the ways to call, and what is then true."""

import pytest

from netbox_jobs.broker import delivery
from netbox_jobs.enqueue import unsaved
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job, Schedule
from tests.app.jobs import Plain
from tests.app.models import TextThing, Thing, UUIDThing


class Wrapped(JobRunner):
    """A plugin's runner with an `enqueue()` of its own."""

    def run(self, **kwargs):
        pass

    @classmethod
    def enqueue(cls, *args, **kwargs):
        kwargs.setdefault('word', 'added')
        return super().enqueue(*args, **kwargs)


MAKE = [
    pytest.param(lambda: Thing(), id='integer'),
    pytest.param(lambda: UUIDThing(), id='UUID'),
    pytest.param(lambda: TextThing(code='ab c'), id='text'),
]


CALLS = [
    pytest.param(lambda **given: Plain.enqueue(**given), id='enqueue'),
    pytest.param(lambda **given: Plain.enqueue_once(**given), id='enqueue_once'),
    pytest.param(lambda **given: Plain.enqueue_many([given])[0], id='enqueue_many'),
    pytest.param(lambda **given: Wrapped.enqueue(**given), id='overridden enqueue'),
    pytest.param(lambda **given: Wrapped.enqueue_once(**given), id='enqueue_once by an overridden enqueue'),
    pytest.param(lambda **given: Wrapped.enqueue_many([given])[0], id='enqueue_many by an overridden enqueue'),
]


def delivered():
    return delivery.queue('default').job_ids


def row(job):
    return Job.objects.get(pk=job.pk)


def assert_bound(job, thing):
    """Both the row and the object that the call has returned are about the thing, and delivered once."""
    found = row(job)
    assert (found.object, found.status) == (thing, 'pending')
    assert found.object_id == str(thing.pk)
    assert delivered() == [found.delivery_id]
    for field in ('object_id', 'object_db', 'status', 'due', 'deliveries', 'delivery_id', 'schedule_id', 'slot'):
        assert getattr(job, field) == getattr(found, field), field
    assert job.object is thing
    assert list(thing.jobs.all()) == [job]


def assert_canceled(job, caplog, words='was not saved by the end of the transaction'):
    found = row(job)
    assert found.status == 'canceled'
    assert words in found.error
    assert f'Job {job.pk} (' in caplog.text
    assert words in caplog.text
    assert delivered() == []
    assert not Schedule.objects.filter(pk=job.schedule_id or 0).exists()
    assert not unsaved.unbound().exists()

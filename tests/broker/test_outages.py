"""While Redis is away, the log says so in one line, once a minute with a count, and in one line when it is back."""

import logging

import pytest

from netbox_jobs.broker import connection, outages
from netbox_jobs.models import Job
from tests.app.jobs import Plain

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


@pytest.fixture
def away():
    """A switch: True takes Redis away, False brings it back."""

    def switch(on):
        for name in ('default', 'high', 'low'):
            connection.queue(name).connection.connection_pool.connection_kwargs.update(port=1 if on else port)
        connection.queue('default').connection.connection_pool.reset()
        connection._open_until.clear()

    port = connection.queue('default').connection.connection_pool.connection_kwargs['port']
    yield switch
    switch(False)


def lines(caplog):
    return [record.getMessage() for record in caplog.records if record.name == 'netbox_jobs']


def test_an_outage_is_one_line_however_many_jobs_are_stored_and_one_when_it_is_over(away, caplog):
    away(True)
    first = Plain.enqueue()
    for _ in range(20):
        Plain.enqueue(queue_name='low')
    Plain.enqueue_many([{}] * 10)
    assert len(lines(caplog)) == 1
    assert f'Job {first.pk} (Plain) is stored, but Redis does not answer' in lines(caplog)[0]
    away(False)
    Plain.enqueue()
    Plain.enqueue()
    assert len(lines(caplog)) == 2
    assert lines(caplog)[1] == 'Redis answers again; recovery delivers the jobs that were stored meanwhile (31).'
    away(True)
    Plain.enqueue()
    assert len(lines(caplog)) == 3
    assert Job.objects.count() == 34


def test_an_outage_that_lasts_is_told_of_once_a_minute_with_a_count(away, caplog, monkeypatch):
    away(True)
    clock = [1000.0]
    monkeypatch.setattr(outages.time, 'monotonic', lambda: clock[0])
    for second in range(125):
        clock[0] = 1000.0 + second
        outages.begin_or_count(1, f'Job {second}', 2, ConnectionError('refused'))
    assert [line.split(';')[-1] for line in lines(caplog)] == [
        ' it is delivered when Redis is back.',
        ' 120 more jobs are stored, 122 in all.',
        ' 120 more jobs are stored, 242 in all.',
    ]
    outages.begin_or_count(2, 'Job of another server', 1, ConnectionError('refused'))
    assert len(lines(caplog)) == 4


def test_a_batch_that_cannot_be_delivered_for_another_reason_is_told_of(caplog, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError('x')

    monkeypatch.setattr('netbox_jobs.broker.delivery._deliver_batch', broken)
    Plain.enqueue_many([{}, {}])
    assert 'could not be delivered' in lines(caplog)[0]
    assert all(record.levelno == logging.WARNING for record in caplog.records)

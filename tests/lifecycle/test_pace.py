"""How many jobs are delivered ahead, by how fast the workers begin them."""

from types import SimpleNamespace

import pytest

from netbox_jobs.core import identity, order
from netbox_jobs.lifecycle import pace
from netbox_jobs.models import Job

LINE = order.line_name('default')
LOOK = SimpleNamespace(pending=10, workers=6, orders=[['default']] * 6)


@pytest.fixture
def clock(monkeypatch):
    """The monotonic clock of a child of a worker."""
    now = SimpleNamespace(at=100.0)
    monkeypatch.setattr(identity, '_inherited', True)
    monkeypatch.setattr(pace, 'time', SimpleNamespace(monotonic=lambda: now.at))
    pace.forget()
    return now


def end(clock, number, seconds):
    for _ in range(number):
        clock.at += seconds
        pace.count_end(Job(priority=7, queue_name='default'), 'default')


def most():
    return pace.ahead(LINE, LOOK, 'default').most


def test_one_short_job_says_nothing_of_a_rate(clock):
    pace.note(LINE, LOOK, 0, 'default')
    end(clock, 1, 0.002)
    assert most() == order.AHEAD


def test_more_are_ahead_while_jobs_are_short_and_few_again_when_they_become_longer(clock):
    for _ in range(10):
        pace.note(LINE, LOOK, 0, 'default')
        end(clock, 20, 0.002)
    assert most() == order.MOST_AHEAD
    for _ in range(10):
        pace.note(LINE, LOOK, 0, 'default')
        end(clock, 1, 1)
    assert most() == order.AHEAD

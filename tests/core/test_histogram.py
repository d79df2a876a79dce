"""Percentiles from groups of times."""

import random
from datetime import timedelta

import pytest

from netbox_jobs.core.histogram import BOUNDS, Histogram, group_of


def filled(seconds):
    histogram = Histogram()
    for value in seconds:
        histogram.add(group_of(value), 1)
    return histogram


def test_without_times_there_is_no_percentile():
    assert Histogram().percentile(95) is None


@pytest.mark.parametrize('percent', [50, 95, 99])
def test_a_percentile_is_close_to_the_true_one(percent):
    chance = random.Random(1)
    seconds = sorted(chance.lognormvariate(0, 2) for _ in range(5000))
    true = seconds[round(percent / 100 * len(seconds)) - 1]
    found = filled(seconds).percentile(percent).total_seconds()
    assert true / 1.5 < found < true * 1.5


def test_stored_and_merged_times_are_all_counted():
    one, other = filled([0.0001, 0.5, 0.5]), filled([0.5, 10**9])
    one.merge(Histogram(other.stored()))
    assert one.count == 5
    assert one.percentile(100) == timedelta(seconds=BOUNDS[-1])
    assert one.percentile(0) == timedelta()


def test_the_slow_ones_are_not_hidden_by_the_many():
    histogram = filled([0.01] * 97 + [100] * 3)
    assert histogram.percentile(50) <= timedelta(seconds=0.01)
    assert histogram.percentile(99) > timedelta(seconds=70)

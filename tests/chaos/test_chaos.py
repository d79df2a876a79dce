"""The short run of the chaos test; `make chaos` is the long one."""

import pytest
from django.db import connection

from .engine import Chaos

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chaos]


@pytest.mark.timeout(400)
def test_every_job_is_accounted_for_whatever_is_killed(tmp_path):
    jobs, strikes = (300, 54) if connection.vendor == 'postgresql' else (100, 20)
    report = Chaos(seed=7, jobs=jobs, strikes=strikes, folder=tmp_path).run()
    print(report)
    assert report.violations == {}, str(report)
    assert sum(report.struck.values()) == strikes
    assert report.outcomes['completed'] > jobs // 2

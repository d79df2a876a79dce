"""The short run of the chaos test; `make chaos` is the long one."""

import pytest
from django.db import connection

from .engine import Chaos

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.timeout(400)
def test_every_job_is_accounted_for_whatever_is_killed(tmp_path):
    small = connection.vendor == 'sqlite'
    report = Chaos(seed=7, jobs=100 if small else 300, strikes=8 if small else 24, folder=tmp_path).run()
    print(report)
    assert {what: jobs for what, jobs in report.wrong.items() if jobs} == {}, str(report)
    assert sum(report.struck.values()) == (8 if small else 24)
    assert report.outcomes['completed'] > 50

"""Real workers run jobs that have a place in the order of their queue."""

import pytest

from tests.app.jobs import Plain
from tests.app.ordered import InTurns
from tests.processes import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]


def test_p1_real_workers_run_all_jobs_that_have_a_place_in_the_order(start_worker):
    InTurns.enqueue_many([{'tenant': f'{number % 3}', 'priority': number % 10} for number in range(24)])
    Plain.enqueue_many([{}] * 3)
    workers = [start_worker('--fast') for _ in range(2)]
    wait_for(lambda: InTurns.get_jobs().filter(status='completed').count() == 24, 150, workers[0].output[-2000:])
    wait_for(lambda: Plain.get_jobs().filter(status='completed').count() == 3, 60)

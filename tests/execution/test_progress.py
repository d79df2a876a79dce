"""How far a run is: told as often as it likes, written once in a while, kept with the row."""

import time
from datetime import timedelta
from unittest.mock import MagicMock

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job, Progress
from tests.app.jobs import Counting, Plain
from tests.app.models import Thing

pytestmark = pytest.mark.django_db(transaction=True)


class Telling(JobRunner):
    def run(self, steps):
        for step in steps:
            self.progress(*step)


def test_the_row_keeps_the_latest_current_total_message_and_time(work):
    before = timezone.now()
    job = Telling.enqueue(steps=[(1, 10), (2, 10, 'halfway'), (7, 10, 'nearly')], immediate=True)
    found = Job.objects.get(pk=job.pk).progress
    assert (found.current, found.total, found.message, found.percent) == (7, 10, 'nearly', 70)
    assert before <= found.updated <= timezone.now()
    assert str(found) == '7 of 10 (70 %): nearly'


def test_writes_are_rate_limited():
    class Busy(JobRunner):
        def run(self):
            began = time.monotonic()
            with CaptureQueriesContext(connection) as queries:
                for number in range(10_000):
                    self.progress(number, 10_000)
            self.job.data = [len(queries), int(time.monotonic() - began)]

    job = Busy.enqueue(immediate=True)
    statements, seconds = job.data
    assert statements <= 3 * (2 + seconds)  # the first, and one a second; three statements each, with a savepoint
    assert job.progress.current == 9_999


@pytest.mark.parametrize(
    ('items', 'total'),
    [(range(5), 5), (list('abcde'), 5), (iter('abcde'), 5), ((c for c in 'abcde'), None)],
)
def test_track_counts_what_it_iterates_over(items, total):
    class Tracking(JobRunner):
        def run(self):
            self.job.data = [str(item) for item in self.track(items, message='tracking')]

    job = Tracking.enqueue(immediate=True)
    assert len(job.data) == 5
    assert (job.progress.current, job.progress.total, job.progress.message) == (5, total, 'tracking')


def test_track_takes_a_queryset_and_a_total_of_ones_own():
    Thing.objects.bulk_create([Thing(), Thing(), Thing()])

    class Tracking(JobRunner):
        def run(self):
            self.job.data = [thing.pk for thing in self.track(Thing.objects.all())]
            list(self.track((n for n in 'ab'), total=2))

    job = Tracking.enqueue(immediate=True)
    assert len(job.data) == 3
    assert (job.progress.current, job.progress.total) == (2, 2)


def test_an_exception_leaves_the_progress_where_it_was():
    class Breaking(JobRunner):
        def run(self):
            for number in self.track(range(10)):
                if number == 4:
                    raise RuntimeError

    job = Breaking.enqueue(immediate=True)
    assert (job.status, job.progress.current, job.progress.total) == ('errored', 4, 10)


def test_a_run_within_a_transaction_of_its_own_keeps_its_progress():
    class Atomic(JobRunner):
        def run(self):
            with transaction.atomic():
                self.progress(1, 2)
                self.progress(2, 2)

    assert Atomic.enqueue(immediate=True).progress.current == 2


def test_rate_and_time_left_can_be_told():
    now = timezone.now()
    found = Progress(current=30, total=90, began_at=10, began=now - timedelta(seconds=10), updated=now)
    assert found.rate == 2.0
    assert found.remaining == timedelta(seconds=30)
    found.total = None
    assert (found.remaining, found.percent) == (None, None)
    assert Progress(current=5, total=0).percent is None
    assert Progress(current=12, total=10).percent == 100
    assert Progress(current=0, total=10).rate is None


def test_odd_values_cannot_prevent_the_end():
    job = Telling.enqueue(steps=[(1.9, 10.2, 'nul \x00 \ud800 ' + 'x' * 500)], immediate=True)
    assert job.status == 'completed'
    assert (job.progress.current, job.progress.total, len(job.progress.message)) == (1, 10, 255)
    bad = Telling.enqueue(steps=[('much',)], immediate=True)
    assert (bad.status, bad.progress) == ('errored', None)
    huge = Telling.enqueue(steps=[(10**30, 10**31)], immediate=True)
    assert huge.status == 'completed'


def test_a_job_that_tells_nothing_has_none_and_a_mock_of_a_job_takes_all():
    assert Plain.enqueue(immediate=True).progress is None
    runner = Counting(MagicMock())
    runner.run(total=3)
    runner.progress(1)
    runner.check_canceled()


def test_p7_progress_goes_with_its_job():
    job = Telling.enqueue(steps=[(1, 2)], immediate=True)
    job.delete()
    assert not Progress.objects.exists()

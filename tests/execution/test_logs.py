"""A job's log: everything said through its logger, and nothing else."""

import logging
import threading

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from netbox_jobs.execution import log_writer
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job, JobLogEntry
from tests.app.jobs import Plain, Talking
from tests.execution.lines import messages
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def test_lines_have_level_message_and_timestamp_in_order(work):
    job = Talking.enqueue(lines=3)
    work()
    assert messages(job) == ['line 1 of 3', 'line 2 of 3', 'line 3 of 3']
    assert set(job.log_entries[0]) == {'level', 'message', 'timestamp'}
    assert job.log_entries[0]['timestamp'] <= job.log_entries[2]['timestamp']


def test_all_levels_arguments_and_tracebacks_are_kept():
    class Leveled(JobRunner):
        def run(self):
            self.logger.debug('d %s', 1)
            self.logger.info('i %(name)s', {'name': 'x'})
            self.logger.warning('w')
            try:
                raise KeyError('k')
            except KeyError:
                self.logger.exception('e')

    job = Leveled.enqueue(immediate=True)
    assert [entry['level'] for entry in job.log_entries] == ['debug', 'info', 'warning', 'error']
    assert messages(job)[:3] == ['d 1', 'i x', 'w']
    assert 'Traceback' in messages(job)[3] and "KeyError: 'k'" in messages(job)[3]


def test_nested_immediate_jobs_keep_their_lines_apart():
    class Outer(JobRunner):
        def run(self):
            self.logger.info('before')
            self.job.data = Talking.enqueue(immediate=True, lines=2).pk
            self.logger.info('after')

    outer = Outer.enqueue(immediate=True)
    assert messages(outer) == ['before', 'after']
    assert messages(Job.objects.get(pk=outer.data)) == ['line 1 of 2', 'line 2 of 2']


def test_a_runner_of_the_same_class_nested_in_itself():
    class Nesting(JobRunner):
        def run(self, depth):
            self.logger.info('down %s', depth)
            if depth:
                Nesting.enqueue(immediate=True, depth=depth - 1)
            self.logger.info('up %s', depth)

    outer = Nesting.enqueue(immediate=True, depth=2)
    assert messages(outer) == ['down 2', 'up 2']


def test_parallel_immediate_jobs_keep_their_lines_apart():
    from django.db import connection

    meeting = threading.Barrier(3, timeout=60)
    jobs = {}

    class Parallel(JobRunner):
        def run(self, number):
            meeting.wait()
            for line in range(5):
                self.logger.info('%s.%s', number, line)
            meeting.wait()

    def enqueue(number):
        try:
            jobs[number] = Parallel.enqueue(immediate=True, number=number)
        finally:
            connection.close()

    threads = [threading.Thread(target=enqueue, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, job in jobs.items():
        assert messages(job) == [f'{number}.{line}' for line in range(5)]


def test_lines_are_kept_whatever_the_runner_does_to_its_logger(work):
    class Muted(JobRunner):
        def __init__(self, job):
            super().__init__(job)
            self.logger.propagate = False

        def run(self):
            self.logger.info('said %s', 'once')
            self.logger.getChild('below').debug('below')

    class Named(JobRunner):
        """Asks for its logger as code does that was written for NetBox."""

        def __init__(self, job):
            super().__init__(job)
            self.logger = logging.getLogger(f'netbox.jobs.{type(self).__name__}')

        def run(self):
            self.logger.debug('said %s', 'once')
            logging.getLogger('netbox.jobs').error('said twice')

    assert messages(Muted.enqueue(immediate=True)) == ['said once', 'below']
    assert messages(Named.enqueue(immediate=True)) == ['said once', 'said twice']


def test_no_handler_is_left_behind():
    Talking.enqueue(immediate=True)
    before = len(logging.getLogger('netbox_jobs').handlers)
    for _ in range(3):
        Talking.enqueue(immediate=True)
    assert len(logging.getLogger('netbox_jobs').handlers) == before
    assert logging.getLogger('netbox_jobs.Talking').handlers == []


def test_lines_survive_the_rollback_of_run(work):

    class RollingBack(JobRunner):
        def run(self):
            with transaction.atomic():
                self.logger.info('said within')
                transaction.set_rollback(True)

    assert messages(RollingBack.enqueue(immediate=True)) == ['said within']


def test_what_cannot_be_stored_is_made_storable():
    class Odd(JobRunner):
        def run(self):
            self.logger.info('nul \x00 and half a pair \ud800')

    assert messages(Odd.enqueue(immediate=True)) == ['nul \ufffd and half a pair \ufffd']


def test_log_entries_can_be_assigned_deferred_and_named_in_update_fields():
    job = Plain.enqueue(immediate=True)
    job.log_entries = [{'level': 'info', 'message': 'own'}]
    job.save(update_fields=['log_entries'])
    assert messages(Job.objects.defer('log_entries', 'data').get(pk=job.pk)) == ['own']
    assert Job(log_entries=[]).log_entries == []
    made = Job.objects.create(name='x', log_entries=[{'message': 'a'}, {'message': 'b'}])
    assert messages(Job.objects.get(pk=made.pk)) == ['a', 'b']
    made.refresh_from_db(fields=['log_entries'])


def test_job_log_takes_a_record():
    job = Plain.enqueue()
    job.log(logging.makeLogRecord({'levelname': 'WARNING', 'msg': 'by %s', 'args': ('hand',)}))
    assert (job.log_entries[0]['level'], messages(job)) == ('warning', ['by hand'])


def test_many_lines_are_written_in_order(work):
    job = Talking.enqueue(lines=2345)
    work()
    assert status(job) == 'completed'
    assert messages(job) == [f'line {n} of 2345' for n in range(1, 2346)]
    assert JobLogEntry.objects.filter(job_id=job.pk).count() == 2345


def test_p6_lines_of_any_length_are_written_in_statements_that_a_server_takes(monkeypatch):
    monkeypatch.setattr(log_writer, 'LARGE', 100)
    job = Plain.enqueue()
    writer = log_writer.LogWriter(job, own_connection=False)
    for number in range(6):
        writer.add('info', f'{number}' * 30, 0.0)
    writer.add('info', 'x' * 70, 0.0)
    with CaptureQueriesContext(connection) as queries:
        assert writer.flush()
    assert sum(query['sql'].startswith('INSERT') for query in queries) == 4  # two lines each, and the rest
    assert messages(job) == [f'{number}' * 30 for number in range(6)] + [f'{"x" * 50}… (70 characters)']


def test_a_failure_keeps_the_lines_before_it_and_the_traceback_after_them(work):
    class Failing(JobRunner):
        def run(self):
            self.logger.info('before')
            raise ValueError('x')

    job = Failing.enqueue(immediate=True)
    assert messages(job)[0] == 'before'
    assert messages(job)[1].startswith("ValueError('x')\nTraceback")
    assert len(messages(job)) == 2


def test_a_line_with_arguments_that_do_not_fit_does_not_end_the_job(capsys):
    class Wrong(JobRunner):
        def run(self):
            self.logger.info('%d lines', 'no number')
            self.logger.info('after')

    before = logging.raiseExceptions
    logging.raiseExceptions = False
    try:
        job = Wrong.enqueue(immediate=True)
    finally:
        logging.raiseExceptions = before
    assert status(job) == 'completed'
    assert messages(job) == ['after']


def test_lines_of_both_attempts_are_kept():
    job = Talking.enqueue(immediate=True, lines=1)
    Talking.handle(job, lines=1)
    assert list(JobLogEntry.objects.filter(job_id=job.pk).values_list('attempt', flat=True)) == [1, 2]


def test_within_a_test_case_lines_are_there_at_once():
    """`immediate` writes on the caller's connection, and waits for no other."""

    with transaction.atomic():
        job = Talking.enqueue(immediate=True, lines=3)
        assert len(messages(job)) == 3
        transaction.set_rollback(True)
    assert not JobLogEntry.objects.exists()

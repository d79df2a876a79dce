"""A job's log: everything said through its logger, and nothing else."""

import logging
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import MagicMock

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from netbox_jobs.execution import log_writer
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job, JobLogEntry
from tests.app.jobs import Deep, Plain, Talking
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


def messages(job):
    return [entry['message'] for entry in job.log_entries]


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

    meeting = threading.Barrier(3, timeout=20)
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
    from django.db import transaction

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


def test_what_only_this_database_refuses_ends_a_retry_and_leaves_a_transaction_usable(work):
    retried = Deep.enqueue(max_retries=1, fail=True)
    work()
    assert status(retried) == ('errored' if connection.vendor == 'mysql' else 'scheduled')
    with transaction.atomic():
        job = Deep.enqueue(immediate=True, interval=10)
        assert Job.objects.count() == 3
    assert status(job) == ('errored' if connection.vendor == 'mysql' else 'completed')


def test_a_filter_on_the_logger_of_the_class_is_heard():
    own = logging.getLogger('netbox_jobs.Talking')
    quiet = lambda record: '2' not in record.getMessage()  # noqa: E731
    own.addFilter(quiet)
    try:
        job = Talking.enqueue(lines=3, immediate=True)
    finally:
        own.removeFilter(quiet)
    assert messages(job) == ['line 1 of 3', 'line 3 of 3']


def test_a_record_can_be_sent_to_another_process():
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logging.getLogger('netbox_jobs.Talking').addHandler(handler)
    try:
        Talking.enqueue(lines=1, immediate=True)
    finally:
        logging.getLogger('netbox_jobs.Talking').removeHandler(handler)
    assert pickle.loads(pickle.dumps(records[0].__dict__))['netbox_job'] is None


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


def test_what_only_this_database_refuses_is_named():
    data = []
    for _ in range(40):
        data = [data]  # MariaDB's JSON has 32 levels at the most
    job = Plain.enqueue(interval=10)
    job.start()
    job.data = data
    job.terminate()
    refused = connection.vendor == 'mysql'
    assert status(job) == ('errored' if refused else 'completed')
    assert ('job.data cannot be stored' in Job.objects.get(pk=job.pk).error) == refused
    assert Plain.get_jobs().waiting().get().predecessor_id == job.pk


def test_the_logger_is_named_after_the_class_and_takes_every_level_whatever_the_project_logs():
    class Quiet(JobRunner):
        def run(self):
            self.logger.debug('heard')

    framework = logging.getLogger('netbox_jobs')
    before = framework.level
    framework.setLevel(logging.CRITICAL)
    try:
        job = Quiet.enqueue(immediate=True)
    finally:
        framework.setLevel(before)
    assert messages(job) == ['heard']
    assert Quiet(job).logger.name == 'netbox_jobs.Quiet'


def test_lines_of_jobs_go_on_to_the_projects_own_handlers(caplog):
    Talking.enqueue(immediate=True, lines=1)
    assert ('netbox_jobs.Talking', logging.INFO, 'line 1 of 1') in caplog.record_tuples


def test_other_loggers_are_not_the_jobs():
    class Elsewhere(JobRunner):
        def run(self):
            logging.getLogger('some.library').warning('not mine')
            logging.getLogger('netbox_jobs').warning('the framework, not mine')
            self.logger.info('mine')

    job = Elsewhere.enqueue(immediate=True)
    logging.getLogger('netbox_jobs.Elsewhere').info('nobody runs')
    assert messages(job) == ['mine']


def test_what_a_runner_says_is_its_jobs_whoever_runs_meanwhile_and_in_whatever_thread():
    class Saying(JobRunner):
        def run(self, about=None, threads=None):
            if threads is not None:  # which know nothing of the context
                threads.submit(self.logger.info, 'in a thread').result()
            self.logger.info('in its run')
            if about is not None:
                Saying(about).logger.info('about another')

    other = Plain.enqueue()
    with ThreadPoolExecutor(1) as threads:
        job = Saying.enqueue(immediate=True, about=other, threads=threads)
    assert messages(job) == ['in a thread', 'in its run']
    assert messages(other) == ['about another']
    other.start()
    Saying(other).run()  # by hand
    other.terminate()
    assert messages(other) == ['about another', 'in its run']
    unsaved = Job(name='not yet')
    Saying(unsaved).run()
    assert messages(unsaved) == ['in its run']
    mock = MagicMock()
    Saying(mock).run()
    assert [call.args[0].getMessage() for call in mock.log.call_args_list] == ['in its run']
    Saying(None).run()  # says it to nobody


def test_the_logger_of_a_runner_leaves_nothing_behind_and_can_be_sent_elsewhere():
    runner = Plain(Job(name='x'))
    assert logging.getLogger(runner.logger.name) is not runner.logger
    assert pickle.loads(pickle.dumps(runner.logger)) is logging.getLogger('netbox_jobs.Plain')


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
    """`immediate` writes on the caller's connection, and waits for nobody."""
    from django.db import transaction

    with transaction.atomic():
        job = Talking.enqueue(immediate=True, lines=3)
        assert len(messages(job)) == 3
        transaction.set_rollback(True)
    assert not JobLogEntry.objects.exists()

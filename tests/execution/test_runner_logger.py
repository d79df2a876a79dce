"""The logger of a runner: its name, its handlers and filters, and the project's own."""

import logging
import pickle
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import MagicMock

import pytest
from django.db import connection, transaction

from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job
from tests.app.jobs import Deep, Plain, Talking
from tests.execution.lines import messages
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_a_record_can_be_sent_to_another_process(caplog):
    caplog.set_level(logging.INFO)
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logging.getLogger('netbox_jobs.Talking').addHandler(handler)
    try:
        Talking.enqueue(lines=1, immediate=True)
    finally:
        logging.getLogger('netbox_jobs.Talking').removeHandler(handler)
    assert pickle.loads(pickle.dumps(records[0].__dict__))['netbox_job'] is None


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
    caplog.set_level(logging.INFO)
    Talking.enqueue(immediate=True, lines=1)
    assert ('netbox_jobs.Talking', logging.INFO, 'line 1 of 1') in caplog.record_tuples


def test_other_loggers_are_not_the_jobs():
    class Elsewhere(JobRunner):
        def run(self):
            logging.getLogger('some.library').warning('not mine')
            logging.getLogger('netbox_jobs').warning('the framework, not mine')
            self.logger.info('mine')

    job = Elsewhere.enqueue(immediate=True)
    logging.getLogger('netbox_jobs.Elsewhere').info('no job runs')
    assert messages(job) == ['mine']


def test_what_a_runner_logs_is_its_jobs_in_any_thread_and_beside_any_other_run():
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
    Saying(None).run()  # no job keeps it


def test_the_logger_of_a_runner_leaves_nothing_behind_and_can_be_sent_elsewhere():
    runner = Plain(Job(name='x'))
    assert logging.getLogger(runner.logger.name) is not runner.logger
    assert pickle.loads(pickle.dumps(runner.logger)) is logging.getLogger('netbox_jobs.Plain')

"""What a worker does beforehand so that its children need not: imports, a connection, SQL."""

import os
import sys

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from netbox_jobs.core import import_path
from netbox_jobs.lifecycle import claim, finish, warm_up
from netbox_jobs.models import Job, cached_sql
from netbox_jobs.worker.connections import connect
from netbox_jobs.worker.preload import Preload
from tests.app.jobs import Plain


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a module that is not imported yet."""
    (tmp_path / 'late_runner.py').write_text('def late(job): pass')
    monkeypatch.syspath_prepend(tmp_path)
    yield 'late_runner'
    sys.modules.pop('late_runner', None)


def in_child(act):
    pid = os.fork()
    if pid == 0:
        try:
            act()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def imported_by(act):
    known = len(import_path.imported)
    act()
    return import_path.imported[known:]


@pytest.mark.process
@pytest.mark.once
def test_what_a_child_had_to_import_its_parent_imports_once(module):
    preload = Preload()
    in_child(lambda: preload.tell(imported_by(lambda: import_path.resolve(f'{module}.late'))))
    assert module not in sys.modules
    assert preload.follow() and module in sys.modules
    assert not preload.follow()
    in_child(lambda: preload.tell([module]))
    assert not preload.follow()


def test_nothing_is_imported_where_the_project_says_so(module, settings):
    settings.NETBOX_JOBS = {'PRELOAD_RUNNERS': False}
    preload = Preload()
    preload.tell([module])
    assert not preload.follow() and module not in sys.modules


def test_what_cannot_be_imported_in_the_parent_is_left_to_the_children(caplog):
    preload = Preload()
    preload.tell(['no_such_module'])
    with caplog.at_level('INFO'):
        preload.follow()
    assert 'left to each child' in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_horse_that_waits_replaces_a_connection_that_does_not_answer(monkeypatch):
    monkeypatch.setitem(connection.settings_dict, 'CONN_MAX_AGE', None)
    connection.close()
    connect()
    first = connection.connection
    connect(again=True)
    assert connection.connection is first is not None
    if connection.vendor != 'sqlite':
        first.close()
        connect(again=True)
        assert connection.connection is not first and connection.is_usable()
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_horse_that_finds_no_database_waits_nevertheless(monkeypatch):
    def fail():
        raise OperationalError('away')

    monkeypatch.setattr(connections_wrapper(), 'ensure_connection', fail)
    connect()


@pytest.mark.django_db
def test_the_sql_of_a_claim_and_of_an_end_is_made_beforehand(monkeypatch):
    warm_up.warm_up('default')
    monkeypatch.setattr(cached_sql, '_made', None)  # fails if called
    job = claim.claim(str(Plain.enqueue().job_id), 'worker', 'default')
    with CaptureQueriesContext(connection) as captured:
        assert finish.finish(job, 'completed')
    assert [query['sql'].split()[0] for query in captured] == ['UPDATE']
    assert Job.objects.get(pk=job.pk).status == 'completed'


def connections_wrapper():
    return connection._connections[connection._alias]

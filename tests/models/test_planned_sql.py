"""Statements that come often are planned once a second, and nothing that a job does to its session loses one.

Not collected on other databases than PostgreSQL.
"""

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from netbox_jobs.models import cached_sql, planned_sql

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = 'SELECT %s::int + tall, note FROM measured WHERE note <> %s'


@pytest.fixture
def clock(monkeypatch):
    """The seconds that the module believes have passed."""
    seconds = [1000.0]
    monkeypatch.setattr(planned_sql.time, 'monotonic', lambda: seconds[0])
    return seconds


@pytest.fixture(autouse=True)
def measured():
    connection.close()  # a session that has prepared nothing
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE measured AS SELECT 7 AS tall, 'a %'::text AS note")
    yield
    connection.close()


def ask(number=1):
    return cached_sql.execute(connection, TEXT, [number, "it's"], lambda cursor: cursor.fetchone())


def sent(times, **kwargs):
    """The first words of what is sent to the server for so many calls."""
    with CaptureQueriesContext(connection) as captured:
        assert [ask(number) for number in range(times)] == [(7 + number, 'a %') for number in range(times)]
    return [query['sql'].split()[0] for query in captured]


def plans():
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements WHERE name LIKE 'netbox_jobs_%'")
        return [name for (name,) in cursor]


def test_a_statement_that_comes_often_is_prepared_once_and_gives_the_same(clock):
    often = planned_sql.OFTEN
    assert sent(often) == ['SELECT'] * often
    assert sent(3) == ['SELECT', 'PREPARE', 'EXECUTE', 'EXECUTE', 'EXECUTE']  # the first asks whose session it is
    assert len(plans()) == 1


def test_a_statement_is_planned_anew_after_a_second_and_leaves_no_plan_behind(clock):
    sent(planned_sql.OFTEN + 1)
    first = plans()
    clock[0] += planned_sql.LIFETIME + 0.1
    assert sent(planned_sql.OFTEN) == ['SELECT'] * planned_sql.OFTEN
    assert sent(2) == ['DEALLOCATE', 'EXECUTE', 'EXECUTE']
    assert len(plans()) == 1 and plans() != first


def test_a_statement_that_comes_seldom_is_not_prepared(clock):
    for _ in range(20):
        assert sent(1) == ['SELECT']
        clock[0] += planned_sql.LIFETIME / 2
    assert plans() == []


@pytest.mark.parametrize('done', ['DISCARD ALL', 'DEALLOCATE ALL', 'ALTER TABLE measured ALTER note TYPE varchar(9)'])
def test_what_a_job_does_to_its_session_or_to_the_table_loses_no_statement(clock, done):
    sent(planned_sql.OFTEN + 1)
    with connection.cursor() as cursor:
        cursor.execute(done)
        if done == 'DISCARD ALL':  # with the temporary table
            cursor.execute("CREATE TEMPORARY TABLE measured AS SELECT 7 AS tall, 'a %'::text AS note")
    assert sent(1)[-1] == 'SELECT'
    assert sent(2)[-1] == 'EXECUTE'
    clock[0] += planned_sql.LIFETIME + 0.1
    assert sent(planned_sql.OFTEN + 2)[-1] == 'EXECUTE'


def test_a_job_that_discards_everything_just_before_a_new_plan_loses_no_statement(clock):
    sent(planned_sql.OFTEN + 1)
    clock[0] += planned_sql.LIFETIME + 0.1
    sent(planned_sql.OFTEN)
    with connection.cursor() as cursor:
        cursor.execute('DEALLOCATE ALL')
    assert sent(2)[-1] == 'EXECUTE'


def test_within_a_transaction_nothing_is_prepared(clock):
    with transaction.atomic():
        assert sent(20) == ['SELECT'] * 20
    connection.set_autocommit(False)
    try:
        assert sent(20) == ['SELECT'] * 20
    finally:
        connection.rollback()
        connection.set_autocommit(True)


def test_an_error_of_a_planned_statement_is_raised_as_it_is(clock):
    sent(planned_sql.OFTEN + 1)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '50ms'; ALTER TABLE measured RENAME TO locked; SELECT 1")
        cursor.execute('CREATE TEMPORARY VIEW measured AS SELECT tall, note FROM locked, pg_sleep(1)')
    with pytest.raises(OperationalError, match='statement timeout'):
        ask()


def test_a_statement_whose_parameters_have_no_type_is_sent_as_it_is(clock):
    def ask_untyped():
        return cached_sql.execute(connection, 'SELECT %s IS NULL', [None], lambda cursor: cursor.fetchone()[0])

    assert [ask_untyped() for _ in range(20)] == [True] * 20
    assert plans() == []


def test_a_statement_without_parameters_is_planned_too(clock):
    def ask_plainly():
        return cached_sql.execute(connection, "SELECT '100 %%'", [], lambda cursor: cursor.fetchone()[0])

    assert [ask_plainly() for _ in range(20)] == ['100 %'] * 20
    assert len(plans()) == 1


def test_a_session_counts_so_many_statements_and_no_more(clock, monkeypatch):
    monkeypatch.setattr(planned_sql, 'COUNTED', 2)
    for number in range(5):
        cached_sql.execute(connection, f'SELECT {number}', [], lambda cursor: cursor.fetchone())
    assert sent(20) == ['SELECT'] * 20

"""A server that answers and refuses a worker, at its start: it is said clearly, every minute, until it lets it in."""

import logging

import pytest
from django.core.management.base import CommandError
from django.db import OperationalError, connection
from redis.exceptions import AuthenticationError, ConnectionError, NoPermissionError, ResponseError

from netbox_jobs.worker import startup

pytestmark = pytest.mark.django_db(transaction=True)

REFUSALS = [
    OperationalError('connection failed: FATAL:  password authentication failed for user "x"'),
    OperationalError('connection failed: FATAL:  database "x" does not exist'),
    OperationalError('connection failed: FATAL:  role "x" does not exist'),
    OperationalError('connection failed: FATAL:  no pg_hba.conf entry for host "10.0.0.1"'),
    OperationalError('connection failed: FATAL:  permission denied for database "x"'),
    OperationalError(1045, "Access denied for user 'x'@'localhost' (using password: YES)"),
    OperationalError(1049, "Unknown database 'x'"),
    AuthenticationError('invalid username-password pair or user is disabled.'),
    AuthenticationError('Authentication required.'),
    ResponseError('WRONGPASS invalid username-password pair'),
    ResponseError('DB index is out of range'),
    NoPermissionError('this user has no permissions to run the command'),
]
OUTAGES = [
    OperationalError('connection failed: Connection refused'),
    OperationalError('connection failed: FATAL:  the database system is starting up'),
    OperationalError('connection failed: FATAL:  sorry, too many clients already'),
    OperationalError(2003, "Can't connect to MySQL server"),
    OperationalError('unable to open database file'),
    ConnectionError('Error 111 connecting to 127.0.0.1:6379. Connection refused.'),
    ResponseError('LOADING Redis is loading the dataset in memory'),
]


@pytest.fixture
def minutes(monkeypatch):
    """Each pause takes twenty seconds of a clock that does not wait."""
    clock = [1000.0]
    monkeypatch.setattr(startup.time, 'monotonic', lambda: clock[0])
    monkeypatch.setattr(startup.time, 'sleep', lambda seconds: clock.__setitem__(0, clock[0] + 20))


def waited_for(error, attempts, caplog):
    answers = [error] * attempts + [None]
    with caplog.at_level(logging.INFO, 'netbox_jobs'):
        startup.wait_for('The server', lambda: answers.pop(0))
    assert caplog.messages[-1] == 'The server answers; this worker starts.'
    return [record for record in caplog.records if record.levelno == logging.ERROR]


@pytest.mark.once
@pytest.mark.parametrize('error', REFUSALS, ids=str)
def test_a_refusal_is_logged_as_an_error_once_a_minute_and_ends_by_itself(error, minutes, caplog):
    reminders = waited_for(error, 11, caplog)
    assert len(reminders) == 4
    assert f'The server refuses this worker ({startup._line(error)})' in reminders[0].getMessage()
    assert 'Correct the settings' in reminders[0].getMessage()


@pytest.mark.once
@pytest.mark.parametrize('error', OUTAGES, ids=str)
def test_an_outage_is_logged_once(error, minutes, caplog):
    assert waited_for(error, 11, caplog) == []
    assert caplog.text.count('this worker waits until it does') == 1


@pytest.mark.once
def test_with_no_wait_a_refusal_ends_the_worker_with_the_reason():
    with pytest.raises(CommandError, match='password authentication failed'):
        startup.wait_for('The database', lambda: REFUSALS[0], patient=False)


def test_what_the_database_of_the_tests_says_of_a_database_that_is_not_there_is_a_refusal():
    if connection.vendor == 'sqlite':  # it makes one
        return
    other = connection.copy()
    other.settings_dict = {**connection.settings_dict, 'NAME': 'no_such_database'}
    with pytest.raises(OperationalError) as raised:
        other.ensure_connection()
    assert startup.is_refusal(raised.value)

"""The start of a worker: it waits until Redis and the database answer."""

import logging
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.apps import apps
from django.core.management.base import CommandError
from django.db import Error as DBError
from django.db import InterfaceError, OperationalError, connections
from redis.exceptions import RedisError

from ..broker import connection
from ..core.transactions import is_conflict
from ..execution.heartbeat import Lease
from ..maintenance import recovery, releases
from ..models import database
from .connections import leave_pools
from .preload import warm_up

logger = logging.getLogger('netbox_jobs')

#: Seconds between the first two attempts, and the most between two; each pause is twice the one before.
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 5.0
#: Seconds between two lines of the log while a server refuses this worker.
REMINDER = 60.0
# What a server says that answers and refuses: the numbers of MariaDB, and the words of PostgreSQL and Redis.
_REFUSALS = {1044, 1045, 1049, 1130, 1698}
_REFUSED = re.compile(
    r'authentication|does not exist|no pg_hba\.conf entry|permission denied|no permission|not permitted'
    r'|invalid (user|password)|username-password|NOAUTH|NOPERM|WRONGPASS|DB index is out of range',
    re.IGNORECASE,
)


def wait_for(what: str, attempt: Callable[[], Exception | None], *, patient: bool = True) -> None:
    """Call `attempt` until it returns no error; log once that this worker waits.

    A server that answers and refuses this worker, by a password or the name of a database, is waited for as well, as
    what it refuses may be made at this moment; this is logged as an error, and again every minute.

    Args:
        what: What is waited for.
        attempt: Returns the error, if it does not answer.
        patient: Whether to wait.

    Raises:
        CommandError: It does not answer, and `patient` is False.
    """
    error, pause = attempt(), FIRST_PAUSE
    if error is None:
        return
    if not patient:
        raise CommandError(
            f'{what} does not answer ({_line(error)}). Start it, or correct the settings; without --no-wait, the '
            'worker waits until it answers.'
        )
    logger.warning('%s does not answer (%s); this worker waits until it does.', what, _line(error))
    next_reminder = time.monotonic()
    with _default_signals():
        while (error := attempt()) is not None:
            if is_refusal(error) and time.monotonic() >= next_reminder:
                next_reminder = time.monotonic() + REMINDER
                logger.error(
                    '%s refuses this worker (%s). Correct the settings and start it again, or let it in: it goes on '
                    'trying every %.0f seconds.',
                    *(what, _line(error), LONGEST_PAUSE),
                )
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
    logger.info('%s answers; this worker starts.', what)


def is_refusal(error: Exception) -> bool:
    """Return whether a server has answered, and refuses the user, the password or the database: no outage passes so."""
    numbers = [part.args[0] for part in (error, error.__cause__) if part is not None and part.args]
    return any(number in _REFUSALS for number in numbers if isinstance(number, int)) or bool(
        _REFUSED.search(str(error))
    )


def wait_for_redis(queue: str, *, patient: bool) -> None:
    """Wait until the Redis server of this queue answers; see `wait_for()`."""

    def ping() -> Exception | None:
        try:
            connection.queue(queue).connection.ping()
        except RedisError as error:
            return error
        return None

    wait_for('Redis', ping, patient=patient)


def wait_for_database(*, patient: bool) -> None:
    """Wait until the database answers; see `wait_for()`.

    Raises:
        CommandError: It has not been migrated.
    """
    try:
        wait_for('The database', lambda: _try(_read_tables), patient=patient)
    except DBError as error:
        raise CommandError(f'The database is not ready for jobs ({_line(error)}); did you run "migrate"?') from error


def lost_connection(act: Callable[[], object]) -> Exception | None:
    """Do this; returns the error if there was no connection, whichever database it was to."""
    try:
        act()
    except (InterfaceError, OperationalError) as error:
        return error
    return None


def begin(lease: Lease) -> None:
    """Give the first sign of life of a worker, and do what its children need not do; wait for the database."""
    leave_pools()

    def start() -> None:
        lease.beat()
        releases.record()
        recovery.deliver_due()
        warm_up()

    wait_for('The database', lambda: _try(start))
    connections.close_all()


def _try(act: Callable[[], None]) -> Exception | None:
    """Do this; returns the error if the database does not answer.

    Raises:
        DBError: The database answers, but not this.
    """
    for repeated in (False, True):
        try:
            act()
        except DBError as error:
            if is_conflict(error) or not _answers():
                connections.close_all()
                return error
            if repeated:  # the first time, its session may just have been cut
                raise
        else:
            break
    return None


def _answers() -> bool:
    connection_ = connections[database()]
    return connection_.connection is not None and connection_.is_usable()


def _read_tables() -> None:
    """Name all columns of all tables: an update may have been installed and not migrated."""
    for model in apps.get_app_config('netbox_jobs').get_models():
        list(model._base_manager.using(database()).extra(where=['1 = 0']))


def _line(error: Exception) -> str:
    return ' '.join(str(error).split())


@contextmanager
def _default_signals() -> Iterator[None]:
    """End this process upon SIGTERM and SIGINT, whatever those who forked it do upon them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)

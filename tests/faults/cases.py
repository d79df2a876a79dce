"""The cases: a fault, on which database, and with which load."""

from collections.abc import Callable
from dataclasses import dataclass

from . import redis_strikes, strikes
from .strikes import Servers, Strike


@dataclass(frozen=True)
class Case:
    """One fault: what happens, on which database, and with which load."""

    what: str
    strike: Strike
    database: str = 'postgresql'
    prepare: Callable[[Servers], None] | None = None
    rate: float = 20
    settings: tuple[tuple[str, str], ...] = ()
    #: Whether the database has a small disk of its own.
    disk: bool = False
    #: What stands before a server: a 'proxy' or 'pgbouncer' before the database; a proxy before 'redis', or a
    #: 'sentinel'.
    between: str = ''


CASES: dict[str, Case] = {
    'postgres-killed': Case('PostgreSQL is killed (`kill -9`), and started 4 s later', strikes.kill_database),
    'postgres-stopped': Case('PostgreSQL is stopped immediately, and started 4 s later', strikes.stop_at_once),
    'postgres-connections': Case(
        'All of 40 connections of PostgreSQL are taken for 15 s, and idle sessions cut', strikes.take_connections,
        settings=(('max_connections', '40'),),
    ),
    'postgres-read-only': Case('PostgreSQL is read-only for 15 s', strikes.read_only),
    'postgres-lock': Case('An exclusive lock on the table of jobs for 60 s', strikes.lock_table),
    'postgres-timeouts': Case(
        '`lock_timeout` 100 ms, `statement_timeout` 200 ms, and ten locks on the table of jobs of 1 s', strikes.time_out
    ),
    'postgres-synchronous': Case(
        'PostgreSQL is killed, and its synchronous replica promoted', strikes.fail_over,
        prepare=strikes.replicate_synchronously, between='proxy',
    ),
    'postgres-asynchronous': Case(
        'PostgreSQL is killed, and a replica promoted that is 2 s behind', strikes.fail_over_behind,
        prepare=strikes.replicate, between='proxy',
    ),
    'postgres-disk': Case('The disk of PostgreSQL is full for 20 s', strikes.fill_disk, disk=True),
    'postgres-dropped': Case(
        'Every packet between the site and PostgreSQL is lost for 20 s', strikes.drop_database, between='proxy'
    ),
    'pgbouncer-killed': Case('PgBouncer is killed, and started 4 s later', strikes.kill_pooler, between='pgbouncer'),
    'mariadb-killed': Case('MariaDB is killed, and started 4 s later', strikes.kill_database, 'mariadb'),
    'mariadb-read-only': Case('MariaDB is read-only for 15 s', strikes.read_only_mariadb, 'mariadb'),
    'mariadb-lock': Case('MariaDB: an exclusive lock on the table of jobs for 60 s', strikes.lock_table, 'mariadb'),
    'redis-full': Case('Redis has no memory left for 15 s (`noeviction`)', redis_strikes.fill_redis),
    'redis-evicts': Case('Redis evicts keys for 15 s (`allkeys-random`)', redis_strikes.evict),
    'redis-replica': Case('Redis is a read-only replica of an empty one for 15 s', redis_strikes.follow),
    'redis-still': Case('Redis stands still for 30 s', redis_strikes.stand_still),
    'redis-dropped': Case(
        'Every packet between the site and Redis is lost for 20 s', redis_strikes.drop_redis, between='redis'
    ),
    'redis-failover': Case(
        'Redis is killed, three Sentinels promote its replica, and it returns as a replica',
        redis_strikes.fail_over_redis,
        between='sentinel',
    ),
    'forks-refused': Case(
        'No process can be forked for 15 s, and the children that there are die', strikes.refuse_forks
    ),
    'memory-full': Case('20 jobs take all the memory that their processes may have', strikes.starve),
    'clock-ahead': Case("A worker's clock jumps an hour ahead, and back after 15 s", strikes.jump('+3600')),
    'clock-behind': Case("A worker's clock jumps an hour back, and ahead after 15 s", strikes.jump('-3600')),
    'due-at-once': Case(f'{strikes.DUE:,} jobs are due at once', strikes.due_at_once, rate=5),
    'away-for-a-day': Case('The workers of five schedules of every minute are away for a day', strikes.away_for_a_day),
    'logs-full': Case("The disk of the workers' logs is full, and a worker is killed", strikes.fill_logs),
}  # fmt: skip

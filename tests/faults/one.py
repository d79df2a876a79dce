"""`python -m tests.faults.one NAME FOLDER`: one case, in a process of its own; prints its count as JSON."""

import json
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import django

from .cases import CASES, Case
from .proxy import Proxy
from .servers import MariaDB, PgBouncer, Postgres, RedisServer, Sentinel
from .strikes import Servers, small_disk


def main() -> None:
    """Start the servers, strike, and count."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    folder.chmod(0o755)
    with ExitStack() as stack:
        print(json.dumps(_case(CASES[name], folder, stack)))


def _case(case: Case, folder: Path, stack: ExitStack) -> dict[str, Any]:
    servers = _servers(case, folder, stack)
    os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'
    os.environ['TEST_DATABASE_URL'] = servers.database.url
    os.environ['TEST_FORKS_FAIL'] = str(folder / 'no-fork')
    redis = servers.redis_proxy or servers.redis
    os.environ['TEST_REDIS_URL'] = f'redis://127.0.0.1:{redis.port}/0'
    django.setup()

    from django.db import connection, connections

    from tests import nursery
    from tests.model.observer import observing
    from tests.model.replay import replayed

    from .site import LoadedSite

    stack.callback(nursery.close)
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    if case.prepare is not None:
        case.prepare(servers)
    if servers.proxy is not None:
        connection.close()
        connection.settings_dict['PORT'] = str(servers.proxy.port)
        os.environ['TEST_DATABASE_URL'] = servers.database.url.replace(
            f':{servers.database.port}/', f':{servers.proxy.port}/'
        )
    with observing():
        site = LoadedSite(folder, case.rate)
        stack.callback(site.close)
        site.start()
        site.run_on(3)
        struck = time.time()
        case.strike(servers, site)
        over = time.time()
        connections.close_all()
        recovered = site.recover()
        site.run_on(5)
        site.finish()
        connections.close_all()
        counted = site.count((struck, over), servers.gone, servers.forgotten)
        violations = replayed().violations
        site.close()
        stack.callback(connections.close_all)
    return {
        **counted, 'gone': len(servers.gone), 'violations': violations, 'recovered': recovered,
        'seconds': time.time() - struck,
    }  # fmt: skip


def _servers(case: Case, folder: Path, stack: ExitStack) -> Servers:
    redis = RedisServer(folder / 'redis')
    database: Any
    if case.database == 'postgresql':
        database = Postgres(folder / 'postgres', **dict(case.settings))
        if case.disk:
            stack.enter_context(small_disk(folder / 'postgres'))
    else:
        database = MariaDB(folder / 'mariadb')
    servers = Servers(folder, redis, database)

    def end() -> None:
        for server in (*servers.sentinels, servers.database, servers.redis, servers.second, servers.proxy,
                       servers.redis_proxy):  # fmt: skip
            if server is not None:
                server.kill()

    stack.callback(end)
    redis.create()
    database.create()
    if case.between == 'proxy':
        servers.proxy = Proxy(database.port)
    elif case.between == 'pgbouncer':
        servers.proxy = PgBouncer(folder / 'pgbouncer', database)
        servers.proxy.create()
    elif case.between == 'sentinel':
        servers.second = RedisServer(folder / 'redis-replica')
        servers.second.follow(redis)
        servers.sentinels = [Sentinel(folder / f'sentinel-{number}', redis) for number in range(3)]
        for sentinel in servers.sentinels:
            sentinel.start()
        os.environ['TEST_SENTINELS'] = ' '.join(str(sentinel.port) for sentinel in servers.sentinels)
    elif case.between == 'redis':
        servers.redis_proxy = Proxy(redis.port)
    return servers


if __name__ == '__main__':
    main()

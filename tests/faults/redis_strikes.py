"""The faults of Redis, as those of `strikes`."""

import signal
import time
from typing import TYPE_CHECKING

from .servers import RedisServer
from .strikes import Servers

if TYPE_CHECKING:  # it imports models, and Django is set up later
    from .site import LoadedSite


def fill_redis(servers: Servers, site: 'LoadedSite') -> None:
    with servers.redis.client() as client:
        client.config_set('maxmemory', 1)
        site.run_on(15)
        client.config_set('maxmemory', 0)


def evict(servers: Servers, site: 'LoadedSite') -> None:
    with servers.redis.client() as client:
        client.config_set('maxmemory-policy', 'allkeys-random')
        client.config_set('maxmemory', client.info('memory')['used_memory'] - 100_000)
        site.run_on(15)
        client.config_set('maxmemory', 0)


def follow(servers: Servers, site: 'LoadedSite') -> None:
    servers.second = RedisServer(servers.folder / 'redis-primary')
    servers.second.create()
    with servers.redis.client() as client:
        client.replicaof('127.0.0.1', servers.second.port)
        site.run_on(15)
        client.replicaof('NO', 'ONE')


def stand_still(servers: Servers, site: 'LoadedSite') -> None:
    servers.redis.signal(signal.SIGSTOP)
    site.run_on(30)
    servers.redis.signal(signal.SIGCONT)


def fail_over_redis(servers: Servers, site: 'LoadedSite') -> None:
    """The primary is killed; it comes back later, as a replica of the one that has taken its place."""
    servers.redis.signal(signal.SIGKILL)
    begun = time.monotonic()
    while servers.sentinels[0].primary() == servers.redis.port:
        assert time.monotonic() - begun < 60, 'no other Redis is the primary'
        site.run_on(0.5)
    site.run_on(5)
    servers.redis.start()
    site.run_on(10)


def drop_redis(servers: Servers, site: 'LoadedSite') -> None:
    assert servers.redis_proxy is not None
    servers.redis_proxy.drops = True
    site.run_on(20)
    servers.redis_proxy.switch(servers.redis.port)

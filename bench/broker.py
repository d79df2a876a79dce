"""The Redis databases of a benchmark, which are emptied: only those that are ours to empty."""

import sys

from redis import Redis

_MARK = 'bench'


def claim(url: str) -> bool:
    """Empty a database and mark it as ours; False, with a sentence, if it holds what is not of a benchmark."""
    with Redis.from_url(url) as client:
        if client.dbsize() and not client.exists(_MARK):
            print(f'{url} is not empty, and not of an earlier benchmark; name another, or empty it.', file=sys.stderr)
            return False
        client.flushdb()
        client.set(_MARK, 1)
    return True


def release(url: str) -> None:
    """Leave it empty."""
    with Redis.from_url(url) as client:
        client.flushdb()

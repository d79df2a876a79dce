"""The process of `real_worker()`: a worker on the databases of the test and on its Redis.

Run as a file, so that nothing of the package is imported before Django is set up.
"""

import json
import os
import signal
import sys
import threading
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command

# What says where a queue's Redis is; the other keys of a queue stay.
_PLACE = (
    'URL', 'HOST', 'PORT', 'DB', 'USERNAME', 'PASSWORD', 'SSL', 'SSL_CERT_REQS', 'UNIX_SOCKET_PATH', 'SENTINELS',
    'MASTER_NAME', 'SOCKET_TIMEOUT', 'CONNECTION_KWARGS', 'SENTINEL_KWARGS', 'REDIS_CLIENT_KWARGS', 'USE_REDIS_CACHE',
)  # fmt: skip


def redirected(queues: dict[str, dict[str, Any]], url: str) -> dict[str, dict[str, Any]]:
    """Return `RQ_QUEUES` with all queues on another Redis server."""
    return {
        name: {'URL': url, **{key: value for key, value in queue.items() if key not in _PLACE}}
        for name, queue in queues.items()
    }


def delivering(settings: dict[str, Any]) -> dict[str, Any]:
    """Return `NETBOX_JOBS` for a test with a worker."""
    return {**settings, 'DELIVER': True}


def _end_with_parent() -> None:
    sys.stdin.read()  # the test's process keeps the other end open as long as it lives
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Run `rqworker` with the arguments that stand in the first line of the standard input."""
    given = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for alias, name in given['databases'].items():
        settings.DATABASES[alias]['NAME'] = name
    settings.RQ_QUEUES = redirected(settings.RQ_QUEUES, given['url'])
    settings.NETBOX_JOBS = delivering(getattr(settings, 'NETBOX_JOBS', {}))
    django.setup()
    call_command('rqworker', *given['arguments'])


if __name__ == '__main__':
    main()

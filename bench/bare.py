"""`python -m bench.bare`: a bare `django.setup()` and RQ's own worker, which is what ours is compared with."""

import django
from django.conf import settings
from redis import Redis
from rq import Queue, Worker

if __name__ == '__main__':
    django.setup()
    client = Redis.from_url(settings.FLOOR_REDIS)
    Worker([Queue(name, connection=client) for name in ('high', 'default', 'low')], connection=client).work()

"""`python -m tests.app.callers PROCESSES CALLS KEYS`: so many processes call `enqueue_once()` so many times each.

Prints how many calls failed. Forks by itself, as it has no threads yet.
"""

import os
import sys
import traceback

from tests.lifetime import end_with_parent


def main() -> int:
    end_with_parent(os.getppid())
    import django

    django.setup()
    from django.db import connections

    from tests.app.jobs import Sleeping
    from tests.app.models import Thing

    processes, calls, keys = map(int, sys.argv[1:4])
    things = list(Thing.objects.order_by('pk')[:keys])
    connections.close_all()
    parent, children = os.getpid(), []
    for number in range(processes):
        pid = os.fork()
        if pid == 0:
            end_with_parent(parent)
            failed = 0
            for call in range(calls):
                try:
                    Sleeping.enqueue_once(instance=things[number % keys], interval=60 + call % 2)
                except Exception:
                    traceback.print_exc()
                    failed += 1
            connections.close_all()
            os._exit(min(failed, 255))
        children.append(pid)
    failures = sum(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children)
    print(f'{failures} calls failed')
    return int(failures > 0)


if __name__ == '__main__':
    sys.exit(main())

"""Calls of runners with `Meta.unique`, from many processes at once.

`python -m tests.app.unique_callers RUNNER PROCESSES CALLS`: so many processes enqueue this runner so many times each.
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

    from netbox_jobs.exceptions import JobExists

    from . import uniques

    runner, processes, calls = getattr(uniques, sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    connections.close_all()
    parent, children = os.getpid(), []
    for _number in range(processes):
        pid = os.fork()
        if pid == 0:
            end_with_parent(parent)
            failed = 0
            for call in range(calls):
                try:
                    runner.enqueue(page=call % 2)
                except JobExists:
                    pass
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

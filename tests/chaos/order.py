"""The order of a queue after the fire: the workers and the rows that are left keep it as if nothing had happened."""

from netbox_jobs.core.order import AHEAD
from netbox_jobs.models import Job
from tests.app.counted import WorkingInTurns
from tests.app.jobs import WorkingAgain

from .state import State

#: So many jobs of one tenant wait when the first one of another is enqueued.
CROWD = 60
QUEUE = 'tests.app.work'


def begin(chaos: State) -> None:
    """Enqueue jobs of a large tenant, and behind them a late one, the first of a small tenant, and an urgent one."""
    calls = [{'tenant': 'large', 'seconds': 0.1, 'queue_name': QUEUE} for _ in range(CROWD)]
    crowd = WorkingInTurns.enqueue_many(calls)
    late = WorkingAgain.enqueue(queue_name=QUEUE, priority=1)
    small = WorkingInTurns.enqueue(queue_name=QUEUE, tenant='small')
    urgent = WorkingAgain.enqueue(queue_name=QUEUE, priority=9)
    chaos.ordered = [job.pk for job in crowd], small.pk, urgent.pk, late.pk
    chaos.enqueued |= {*chaos.ordered[0], small.pk, urgent.pk, late.pk}


def wrong(chaos: State, jobs: dict[int, Job]) -> dict[str, list[int]]:
    """The primary keys of the jobs for which something is not as it must be, by what that is."""
    crowd, small, urgent, late = chaos.ordered
    most = max(AHEAD, chaos.size) + chaos.size  # delivered ahead; and one more that each worker may have begun
    return {
        'the first job of a tenant, behind more than a few of another': _behind(jobs, crowd, small, most),
        'an urgent job, behind more than a few others': _behind(jobs, crowd, urgent, most),
        'a late job, before more than a few others': [
            late for _ in [late] if sum(_begun(jobs, pk) > _begun(jobs, late) for pk in crowd) > most
        ],
    }


def _behind(jobs: dict[int, Job], crowd: list[int], pk: int, most: int) -> list[int]:
    came = jobs[pk].created.timestamp()
    between = [other for other in crowd if came < _begun(jobs, other) < _begun(jobs, pk)]
    return [pk] if len(between) > most else []


def _begun(jobs: dict[int, Job], pk: int) -> float:
    started = jobs[pk].started
    return started.timestamp() if started is not None else float('inf')

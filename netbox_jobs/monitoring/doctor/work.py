"""The workers, the queues and the schedules."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from ...core import formatting, versions
from ...models import Schedule, Worker, database
from .. import measures, pulse
from ..queues import QueueState, queue_states
from . import refusals, registered
from .finding import ERROR, INFO, WARNING, Finding

#: Seconds after which a job that could run has waited for long.
LONG = 600
#: How many schedules are named.
NAMED = 10


def findings(sleep: Callable[[float], None]) -> Iterator[Finding]:
    """Yield what is wrong with the workers, the queues and the schedules."""
    workers = [worker for worker in Worker.objects.using(database()).order_by('name') if worker.queues]
    moving = pulse.live_workers(workers, sleep=sleep)
    live = [worker for worker in workers if worker.token in moving]
    if not live:
        yield Finding('workers.none', ERROR, 'No worker is running.', 'Start one with "manage.py rqworker".')
    yield from _silent(worker for worker in workers if worker.token not in moving)
    yield from _versions(live)
    yield from registered.findings(workers, live)
    for state in queue_states(live, {}):
        yield from _queue(state, any_worker=bool(live))
    yield from refusals.findings()
    yield from _schedules()


def _silent(workers: Iterable[Worker]) -> Iterator[Finding]:
    for worker in workers:
        yield Finding(
            'workers.silent',
            WARNING,
            f'The worker {worker.name} (process {worker.pid} on {worker.host}) gave no heartbeat for '
            f'{pulse.WATCHED:.0f} seconds.',
            'Look whether its process hangs. If it is gone, another worker ends or requeues its jobs within '
            'WORKER_TIMEOUT seconds; without another worker, start one.',
        )


def _versions(workers: Iterable[Worker]) -> Iterator[Finding]:
    numbers = Counter(worker.version or 'an unknown version' for worker in workers)
    here = versions.running()
    if not set(numbers) <= {here}:
        listed = '; '.join(f'{number} run {version}' for version, number in sorted(numbers.items()))
        yield Finding(
            'workers.versions',
            WARNING,
            f'Workers run other versions than this process ({here}): {listed}.',
            'During a rolling deploy this passes. Otherwise restart the workers with the code of the site.',
        )


def _queue(state: QueueState, *, any_worker: bool) -> Iterator[Finding]:
    waiting = state.waiting + state.scheduled
    count = f'{formatting.number(waiting)} {"job waits" if waiting == 1 else "jobs wait"}'
    if not state.configured and waiting:
        yield Finding(
            'queues.unknown',
            ERROR,
            f'{count} in the queue {state.name}, which is not configured: no worker can serve it.',
            'Add it to RQ_QUEUES, or install the plugin that declares it; or cancel the jobs.',
        )
    elif state.paused is not None:
        if waiting:
            yield Finding(
                'queues.paused',
                INFO,
                f'The queue {state.name} is paused since {formatting.full_moment(state.paused)}; {count}.',
                f'Resume it with "manage.py jobs resume {state.name}".',
            )
    elif state.unserved and (waiting or any_worker):
        text = f'; {count} in it' if waiting else ''
        yield Finding(
            'queues.unserved',
            ERROR if waiting else WARNING,
            f'No live worker serves the queue {state.name}{text}.',
            f'Start one with "manage.py rqworker {state.name}", or workers for all with "--all-queues".',
        )
    elif state.oldest_age is not None and state.oldest_age.total_seconds() > LONG:
        yield Finding(
            'queues.stalled',
            WARNING,
            f'The oldest job in the queue {state.name} has waited for {formatting.duration(state.oldest_age)}.',
            'Start more workers for it, or see with "manage.py jobs workers" what occupies them.',
        )


def _schedules() -> Iterator[Finding]:
    suspended = Schedule.objects.using(database()).exclude(suspended='').order_by('pk')
    for row in suspended[:NAMED]:
        yield Finding(
            'schedules.suspended',
            WARNING,
            f'The schedule {row.pk} ({row.name}) is suspended: {row.suspended}',
            f'Remove the cause, then run "manage.py jobs schedules resume {row.pk}".',
        )
    for runner, late in measures.late_schedules().items():
        yield Finding(
            'schedules.late',
            WARNING,
            f'{formatting.number(late.count)} {"job" if late.count == 1 else "jobs"} of {runner} '
            f'{"is" if late.count == 1 else "are"} late, by at most {formatting.duration(round(late.seconds))}.',
            'See with "manage.py jobs show ID" why one of them waits.',
        )

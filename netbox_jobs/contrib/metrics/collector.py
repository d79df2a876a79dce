"""The metrics, read from the database when Prometheus asks: the same from every process."""

from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeHistogramMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from ... import __version__
from ...monitoring import measures, recent
from ...monitoring.measures import Measures
from ...monitoring.recent import Times

#: How many runners, queues and workers have series of their own. Other runners and queues share the label 'other';
#: of the workers, those whose heartbeats are oldest are reported.
MOST_RUNNERS, MOST_QUEUES, MOST_WORKERS = 100, 50, 100
OTHER = 'other'


class JobsCollector(Collector):
    """Reports the state of all jobs: `prometheus_client.REGISTRY.register(JobsCollector())`.

    All metrics but two are gauges: they say what is true at the time of the scrape, or for the last minutes, and can
    fall. `netbox_jobs_repairs_total` and `netbox_jobs_worker_heartbeats_total` are counters.
    """

    def describe(self) -> Iterable[Metric]:
        """Describe nothing: a registry would otherwise read the database when the collector is registered."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Read the database, and report."""
        taken = measures.take()
        yield InfoMetricFamily('netbox_jobs', 'The version of netbox_jobs', {'version': __version__})
        yield from _jobs(taken)
        yield from _queues(taken)
        yield from _workers(taken)
        yield from _schedules(taken)
        repairs = CounterMetricFamily('netbox_jobs_repairs', 'What recovery has repaired', labels=['kind'])
        for kind, number in taken.repairs.items():
            repairs.add_metric([kind], number)
        yield repairs


class _Labels:
    """The values of a label that have series of their own: the most frequent ones."""

    def __init__(self, numbers: Counter[str], most: int) -> None:
        self._known = {value for value, _number in numbers.most_common(most)}

    def __call__(self, value: str) -> str:
        return value if value in self._known else OTHER


def _jobs(taken: Measures) -> Iterator[Metric]:
    runners, queues = Counter[str](), Counter[str]()
    for (queue, runner, _status), number in taken.jobs.items():
        runners[runner] += number
        queues[queue] += number
    for group in taken.recent.groups:
        runners[group.runner] += group.count
        queues[group.queue] += group.count
    runner_label, queue_label = _Labels(runners, MOST_RUNNERS), _Labels(queues, MOST_QUEUES)

    labels = ['queue', 'runner', 'status']
    now = GaugeMetricFamily('netbox_jobs_jobs', 'Jobs that wait or run now', labels=labels)
    _add(now, (((queue_label(q), runner_label(r), status), n) for (q, r, status), n in taken.jobs.items()))
    yield now
    groups = taken.recent.groups
    ended = GaugeMetricFamily('netbox_jobs_recent_jobs', 'Jobs that ended in the last minutes', labels=labels)
    _add(ended, (((queue_label(each.queue), runner_label(each.runner), each.status), each.count) for each in groups))
    yield ended
    yield GaugeMetricFamily(
        'netbox_jobs_recent_window_seconds',
        'The time of the metrics of ended jobs; it is shorter if very many have ended',
        value=taken.recent.seconds,
    )
    by_runner: dict[tuple[str, str], tuple[Times, Times]] = {}
    for group in groups:
        key = queue_label(group.queue), runner_label(group.runner)
        for whole, part in zip(by_runner.setdefault(key, (Times(), Times())), (group.waits, group.runs), strict=True):
            whole.merge(part)
    yield _histogram(
        'netbox_jobs_wait_seconds',
        'For how long jobs that ended in the last minutes waited for a worker',
        {key: waits for key, (waits, _runs) in by_runner.items()},
    )
    yield _histogram(
        'netbox_jobs_run_seconds',
        'For how long jobs that ended in the last minutes ran',
        {key: runs for key, (_waits, runs) in by_runner.items()},
    )


def _add(family: GaugeMetricFamily, values: Iterable[tuple[tuple[str, ...], int]]) -> None:
    """Add values to a family; those with the same labels together."""
    numbers = Counter[tuple[str, ...]]()
    for labels, value in values:
        numbers[labels] += value
    for labels, value in numbers.items():
        family.add_metric(labels, value)


def _histogram(name: str, text: str, times: dict[tuple[str, str], Times]) -> Metric:
    family = GaugeHistogramMetricFamily(name, text, labels=['queue', 'runner'])
    for labels, found in times.items():
        bounds = [floatToGoString(bound) for bound in recent.BOUNDS]
        buckets = [*zip(bounds, found.within, strict=True), ('+Inf', found.count)]
        family.add_metric(labels, buckets, found.sum)
    return family


def _queues(taken: Measures) -> Iterator[Metric]:
    jobs = GaugeMetricFamily(
        'netbox_jobs_queue_jobs', 'Jobs of a queue that could run now, are due later, or run', labels=['queue', 'state']
    )
    oldest = GaugeMetricFamily(
        'netbox_jobs_queue_oldest_seconds', 'For how long the oldest job that could run has waited', labels=['queue']
    )
    workers = GaugeMetricFamily('netbox_jobs_queue_workers', 'Live workers that serve a queue', labels=['queue'])
    paused = GaugeMetricFamily('netbox_jobs_queue_paused', 'Whether a queue is paused', labels=['queue'])
    for state in taken.queues[:MOST_QUEUES]:
        for name, number in (('waiting', state.waiting), ('scheduled', state.scheduled), ('running', state.running)):
            jobs.add_metric([state.name, name], number)
        oldest.add_metric([state.name], state.oldest_age.total_seconds() if state.oldest_age is not None else 0)
        workers.add_metric([state.name], state.workers)
        paused.add_metric([state.name], int(state.paused is not None))
    yield from (jobs, oldest, workers, paused)


def _workers(taken: Measures) -> Iterator[Metric]:
    known = [(state, state.worker) for state in taken.workers if state.worker is not None]
    silent = sum(state.silent is not None for state, _worker in known)
    number = GaugeMetricFamily('netbox_jobs_workers', 'Workers, by whether their heartbeats move', labels=['state'])
    number.add_metric(['live'], len(known) - silent)
    number.add_metric(['silent'], silent)
    yield number
    beats = CounterMetricFamily(
        'netbox_jobs_worker_heartbeats', 'Heartbeats of a worker, one every five seconds', labels=['host', 'worker']
    )
    ages = GaugeMetricFamily(
        'netbox_jobs_worker_heartbeat_age_seconds',
        'Seconds since this process first saw the latest heartbeat of a worker',
        labels=['host', 'worker'],
    )
    known.sort(key=lambda pair: pair[0].heartbeat_age, reverse=True)
    for state, worker in known[:MOST_WORKERS]:
        # The number of the process: names of workers need not differ, and two equal series are an error.
        labels = [worker.host, f'{worker.name} ({worker.pid})']
        beats.add_metric(labels, worker.beats)
        ages.add_metric(labels, state.heartbeat_age)
    yield from (beats, ages)


def _schedules(taken: Measures) -> Iterator[Metric]:
    states = GaugeMetricFamily('netbox_jobs_schedules', 'Schedules by state', labels=['state'])
    for state, number in taken.schedules.items():
        states.add_metric([state], number)
    yield states
    late = GaugeMetricFamily(
        'netbox_jobs_schedules_late', 'Schedules whose next job is late by a minute or more', labels=['runner']
    )
    seconds = GaugeMetricFamily(
        'netbox_jobs_schedule_late_seconds', 'How late the latest of these jobs is', labels=['runner']
    )
    latest = sorted(taken.late.items(), key=lambda item: item[1].seconds, reverse=True)
    for runner, found in latest[:MOST_RUNNERS]:
        late.add_metric([runner], found.count)
        seconds.add_metric([runner], found.seconds)
    yield from (late, seconds)

"""Errors, traces and monitors with Sentry, as contexts for `NETBOX_JOBS['CONTEXT']`."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import sentry_sdk
from sentry_sdk.crons import capture_checkin
from sentry_sdk.scope import add_global_event_processor
from sentry_sdk.utils import event_from_exception

from ..choices import JobStatusChoices
from ..core import runs

_ORIGIN = 'auto.queue.netbox_jobs'
# The `job_id` of the run whose error has been reported; RQ logs the same error after it.
_reported: ContextVar[str] = ContextVar('netbox_jobs.sentry_reported', default='')


class Sentry:
    """Reports each run as a transaction that has the name of the runner, and what it raised as an error.

    Put it in place of Sentry's own integration for RQ, which knows the function that runs all jobs alone.
    """

    name = 'sentry'
    goes_on = True

    def capture(self) -> dict[str, str]:
        """Return the trace of the calling code; empty where Sentry is not set up: the worker may report the run."""
        return dict(sentry_sdk.get_current_scope().iter_trace_propagation_headers())

    @contextmanager
    def restore(self, value: dict[str, str]) -> Iterator[None]:
        """Continue the trace around a run; for a job that does not run here, change nothing."""
        run = runs.current_run()
        if run is None or run.job.context.get(self.name) is not value:
            yield
            return
        job = run.job
        isolated: Any = sentry_sdk.isolation_scope()  # the types of old versions are wrong
        with isolated as scope:
            scope.clear_breadcrumbs()
            scope.add_event_processor(lambda event, hint: _masked(event, run))
            scope.set_tag('queue', job.queue_name)
            scope.set_context(
                'job', {'id': job.pk, 'job_id': str(job.job_id), 'name': job.name, 'attempt': job.attempt}
            )
            kind = {'op': 'queue.process', 'name': job.runner, 'source': 'task', 'origin': _ORIGIN}
            scope.set_transaction_name(job.runner, source='task')
            with sentry_sdk.start_transaction(sentry_sdk.continue_trace(value, **kind)) as transaction:
                transaction.set_data('messaging.message.id', str(job.job_id))
                transaction.set_data('messaging.destination.name', job.queue_name)
                with self._monitored(run):
                    yield
                transaction.set_status('internal_error' if _failed(run) else 'ok')
                if run.raised is not None and _failed(run):
                    _report(run.raised)
                    _reported.set(str(job.job_id))

    @contextmanager
    def _monitored(self, run: runs.Run) -> Iterator[None]:
        """Surround a run."""
        yield


class SentryWithMonitors(Sentry):
    """Checks in with a cron monitor for each periodic job: Sentry reports one that is late, or that fails."""

    @contextmanager
    def _monitored(self, run: runs.Run) -> Iterator[None]:
        job = run.job
        if (schedule := job.schedule) is None or not schedule.recurrence:
            yield
            return
        slug = job.runner.rpartition('.')[2].lower() if job.object_id is None else f'schedule-{schedule.pk}'
        check_in = capture_checkin(monitor_slug=slug, status='in_progress', monitor_config=_config(schedule))
        yield
        took = job.execution_time.total_seconds() if job.execution_time is not None else None
        capture_checkin(
            monitor_slug=slug, check_in_id=check_in, status='error' if _failed(run) else 'ok', duration=took
        )


def _failed(run: runs.Run) -> bool:
    """Return whether the run has failed; an attempt that is retried has, too."""
    if run.job.ended:
        return run.job.status in (JobStatusChoices.STATUS_FAILED, JobStatusChoices.STATUS_ERRORED)
    return run.raised is not None


def _masked(event: Any, run: runs.Run) -> Any:
    return event if run.secrets is None else run.secrets.mask_data(event, by_name=True)


def _report(error: BaseException) -> None:
    options = sentry_sdk.get_client().options
    event, hint = event_from_exception(
        error, client_options=options, mechanism={'type': 'netbox_jobs', 'handled': False}
    )
    sentry_sdk.capture_event(event, hint=hint)


@add_global_event_processor
def _once(event: Any, hint: Any) -> Any:
    """Leave out the event that Sentry makes of the line in which RQ's worker logs an error that has been reported."""
    if event.get('logger') != 'rq.worker' or not (job_id := _reported.get()):
        return event
    record = hint.get('log_record')
    return None if record is not None and job_id in record.getMessage() else event


def _config(schedule: Any) -> Any:
    if schedule.cron:
        when = {'type': 'crontab', 'value': schedule.cron}
        return {'schedule': when, **({'timezone': schedule.time_zone} if schedule.time_zone else {})}
    return {'schedule': {'type': 'interval', 'value': schedule.interval, 'unit': 'minute'}}

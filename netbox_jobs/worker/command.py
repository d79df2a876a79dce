"""What the worker commands have in common: which queues, which worker, and the system jobs."""

import importlib
import logging
from collections import defaultdict
from functools import partial
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import module_has_submodule
from django_rq import connection_utils
from rq.logutils import setup_loghandlers
from rq.serializers import DefaultSerializer

from ..core import conf, queues
from ..core.guards import persist
from ..core.import_path import path_of
from ..core.registry import system_jobs
from ..exceptions import UnknownQueue
from ..models import database
from .connections import leave_pools
from .startup import lost_connection, wait_for, wait_for_database, wait_for_redis

logger = logging.getLogger('netbox_jobs')

_DEFAULT_SERIALIZER = 'rq.serializers.DefaultSerializer'  # what django-rq's option has if it is omitted
WORKER_CLASS = 'netbox_jobs.worker.Worker'
FAST_WORKER_CLASS = 'netbox_jobs.worker.FastWorker'


class WorkerCommand(BaseCommand):
    """Mixed into django-rq's commands."""

    _patient = True

    def add_queue_arguments(self, parser: CommandParser) -> None:
        """Our own options."""
        parser.add_argument(
            '--all-queues',
            action='store_true',
            default=False,
            help='Serve all configured queues: those named, then high, default, low, then the others by name.',
        )

        parser.add_argument(
            '--fast',
            action='store_true',
            default=False,
            help='Run jobs one after the other in a child that lives on, instead of one child for each.',
        )
        parser.add_argument(
            '--no-wait',
            action='store_true',
            default=False,
            help='End with an error if Redis or the database does not answer, instead of waiting until it does.',
        )

    def execute(self, *args: Any, **options: Any) -> Any:
        """Django's way to `handle()`."""
        self._patient = not options.pop('no_wait', False)
        _log_to_console(options.get('verbosity', 1))
        return super().execute(*args, **options)

    def check(self, *args: Any, **kwargs: Any) -> None:
        """Django's system checks, of which some connect to the database."""
        run = partial(super().check, *args, **kwargs)
        wait_for('The database', lambda: lost_connection(run), patient=self._patient)

    def prepare(self, names: tuple[str, ...], options: dict[str, Any]) -> list[str]:
        """Decide on the queues, schedule the system jobs, say so in a line, and return the queues in order.

        Raises:
            CommandError: A queue is unknown, the queues are on several Redis servers, or the database is not migrated;
                with `--no-wait` also if one of them does not answer.
        """
        leave_pools()
        served = self._queues(names, options.pop('all_queues', False))
        self._check_servers(served)
        self._choose_serializer(served, options)
        _check_delivery()
        wait_for_redis(served[0], patient=self._patient)
        wait_for_database(patient=self._patient)
        if not names and len(served) == len(queues.DEFAULT_QUEUES) and (others := self._unserved(served)):
            self.stderr.write(
                self.style.WARNING(
                    f'No queues were named; this worker serves {", ".join(served)}. Plugin queues without it: '
                    f'{", ".join(others)} (name them, or use --all-queues).'
                )
            )
        scheduled = self._schedule_system_jobs()
        jobs = f'system jobs scheduled: {", ".join(scheduled)}' if scheduled else 'no system jobs'
        if options.get('verbosity', 1):
            self.stdout.write(f'Serving {", ".join(served)}; {jobs}.')
            self.stdout.flush()
        options['with_scheduler'] = True
        fast = FAST_WORKER_CLASS if options.pop('fast', False) else None
        options['worker_class'] = options.get('worker_class') or fast or self._configured_worker_class()
        return served

    def _queues(self, names: tuple[str, ...], everything: bool) -> list[str]:
        try:
            named = [queues.check(name) for name in dict.fromkeys(names or queues.DEFAULT_QUEUES)]
            if not everything:
                return named
            known = queues.configured()
            return list(dict.fromkeys([*named, *queues.DEFAULT_QUEUES, *sorted(known)]))
        except (UnknownQueue, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from error

    def _check_servers(self, served: list[str]) -> None:
        servers: dict[str, list[str]] = defaultdict(list)
        for name in served:
            servers[repr(connection_utils.filter_connection_params(queues.configured()[name]))].append(name)
        if len(servers) > 1:
            groups = '; '.join(' '.join(group) for group in servers.values())
            raise CommandError(f'These queues are on different Redis servers; run one worker for each group: {groups}.')

    def _choose_serializer(self, served: list[str], options: dict[str, Any]) -> None:
        """Have the worker use the serializer of its queues, unless `--serializer` names one."""
        if options.get('serializer') != _DEFAULT_SERIALIZER:
            return
        by_path: dict[str, list[str]] = defaultdict(list)
        for name in served:
            configured = queues.configured()[name].get('SERIALIZER') or _DEFAULT_SERIALIZER
            path = configured if isinstance(configured, str) else path_of(configured)
            by_path[_DEFAULT_SERIALIZER if path == path_of(DefaultSerializer) else path].append(name)
        if len(by_path) > 1:
            groups = '; '.join(f'{" ".join(group)} ({path})' for path, group in by_path.items())
            raise CommandError(f'These queues have different serializers; run one worker for each group: {groups}.')
        options['serializer'] = next(iter(by_path))

    def _unserved(self, served: list[str]) -> list[str]:
        return [name for name in queues.plugin_queues() if name not in served]

    def _configured_worker_class(self) -> Any:
        return getattr(settings, 'RQ', {}).get('WORKER_CLASS', WORKER_CLASS)

    def _schedule_system_jobs(self) -> list[str]:
        import_jobs()
        scheduled = []
        for runner, kwargs in system_jobs.items():
            try:
                persist(partial(runner.enqueue_once, **kwargs), database(), f'The schedule of {runner.name}')
            except Exception:
                logger.exception('The system job %s could not be scheduled.', runner.name)
                continue
            interval, cron = kwargs.get('interval'), kwargs.get('cron')
            when = f' (every {interval} min)' if interval else f' ({cron})' if cron else ''
            scheduled.append(f'{runner.name}{when}')
        return scheduled


def import_jobs() -> None:
    """Import the module `jobs` of every installed app, so that the system jobs in it are known."""
    for config in apps.get_app_configs():
        if module_has_submodule(config.module, 'jobs'):
            try:
                importlib.import_module(f'{config.name}.jobs')
            except Exception:  # other apps' jobs can be run nevertheless
                logger.exception('%s.jobs cannot be imported; its system jobs are not scheduled.', config.name)


def _check_delivery() -> None:
    if not conf.get('DELIVER'):
        raise CommandError(
            "NETBOX_JOBS['DELIVER'] is False, which is meant for tests: no job reaches a worker. Remove it from the "
            'settings of this worker, and of the processes that enqueue.'
        )


def _log_to_console(verbosity: int) -> None:
    """Show the framework's own voice, and not the lines of jobs, where RQ's worker shows its own.

    Unless `LOGGING` says where they go: then its levels count, for both.
    """
    if logger.hasHandlers():
        return
    level = 'WARNING' if verbosity == 0 else 'DEBUG' if verbosity >= 2 else 'INFO'
    setup_loghandlers(logger.level or level, name=logger.name)
    for handler in logger.handlers:
        handler.addFilter(lambda record: record.name == logger.name)

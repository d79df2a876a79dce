"""`manage.py rqworker-pool [queue ...] --num-workers N`: django-rq's command, with our workers."""

import importlib
from typing import Any

from django.core.management.base import CommandParser

from netbox_jobs.worker.command import WorkerCommand

# The name of django-rq's module is no identifier.
_RQWorkerPoolCommand: Any = importlib.import_module('django_rq.management.commands.rqworker-pool').Command


class Command(WorkerCommand, _RQWorkerPoolCommand):
    """Run several workers. Without names they serve high, default and low, in that order of priority."""

    help = 'Runs several workers that serve the named queues in strict priority; without names: high, default, low.'

    def add_arguments(self, parser: CommandParser) -> None:
        _RQWorkerPoolCommand.add_arguments(self, parser)
        self.add_queue_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        names = self.prepare(args, options)
        super().handle(*names, **options)

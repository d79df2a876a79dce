"""`manage.py rqworker [queue ...]`: django-rq's command, with our worker and what belongs to it."""

from typing import Any

from django.core.management.base import CommandParser
from django_rq.management.commands.rqworker import Command as RQWorkerCommand

from ...worker.command import WorkerCommand


class Command(WorkerCommand, RQWorkerCommand):
    """Run a worker. Without names it serves high, default and low, in that order of priority."""

    help = 'Runs a worker that serves the named queues in strict priority; without names: high, default, low.'

    def add_arguments(self, parser: CommandParser) -> None:
        RQWorkerCommand.add_arguments(self, parser)
        self.add_queue_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        names = self.prepare(args, options)
        super().handle(*names, **options)

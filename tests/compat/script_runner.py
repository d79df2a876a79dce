"""Runs a script's own code in a transaction that it may abort, for the request of a user."""

from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from netbox_jobs.jobs import JobRunner
from tests.app.models import Thing


class AbortTransaction(Exception):
    """Not to be committed."""


class AbortScript(Exception):
    """The script gives up."""


@dataclass
class CopiedRequest:
    """What is left of a request that a worker can have."""

    user: Any
    POST: dict[str, Any] = field(default_factory=dict)
    id: str = ''


class ScriptJob(JobRunner):
    class Meta:
        name = 'Run script'

    def run_script(self, script, request, data, commit):
        log = []
        try:
            with transaction.atomic():
                Thing.objects.create(name=f'by {script}')
                log.append('created')
                if data.get('abort'):
                    raise AbortScript(data['abort'])
                if not commit:
                    raise AbortTransaction
        except AbortTransaction:
            log.append('rolled back')
        except AbortScript as error:
            self.logger.error('Aborted: %s', error)
            self.job.data = {'log': log, 'output': None}
            raise
        self.job.data = {'log': log, 'output': f'{script} for {request.user.username}'}

    def run(self, data, request=None, commit=True, **kwargs):
        self.run_script(self.job.object.name, request, data, commit)

"""Heartbeats: a counter in the database that a process moves as long as it lives."""

import logging
import os
import socket
import threading

from django.db import Error as DBError
from django.db import connections
from django.db.models import F

from ..core import identity, versions
from ..models import Job, Worker, database

logger = logging.getLogger('netbox_jobs')

#: Seconds between two heartbeats.
INTERVAL = 5.0


class Lease:
    """The lease of one process: its row in the table of workers."""

    def __init__(self, token: str, name: str, queues: str = '') -> None:
        self.token, self.name, self.queues = token, name, queues

    def beat(self) -> None:
        """Count one heartbeat; insert the row if it is not there."""
        rows = Worker.objects.using(database())
        if not rows.filter(token=self.token).update(beats=F('beats') + 1):
            rows.get_or_create(
                token=self.token,
                defaults={
                    'name': self.name[:255],
                    'host': socket.gethostname()[:255],
                    'pid': os.getpid(),
                    'queues': self.queues,
                    'version': versions.running(),
                },
            )

    def close(self) -> None:
        """Delete the row: this process ends in order, and holds no claim."""
        Worker.objects.using(database()).filter(token=self.token).delete()


class BorrowedLease:
    """A lease for a process that is no worker of ours, for as long as it runs a job (`immediate`, a plain RQ worker).

    A thread keeps it. Short jobs, which are nearly all, end before it has begun.
    """

    def __init__(self, name: str) -> None:
        self._lease = Lease(identity.process_token(), name)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name='netbox_jobs lease', daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()

    def _keep(self) -> None:
        begun = False
        try:
            while not self._over.wait(INTERVAL):
                try:
                    self._lease.beat()
                    begun = True
                except DBError as error:
                    logger.info('A heartbeat could not be written (%s).', error)
                    connections.close_all()
            if begun and not _others_run(self._lease.token):
                self._lease.close()
        except DBError as error:
            logger.info('A lease could not be deleted (%s); it expires.', error)
        finally:
            connections.close_all()


def _others_run(token: str) -> bool:
    return Job.objects.using(database()).running().filter(worker=token).exists()

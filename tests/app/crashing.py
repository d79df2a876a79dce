"""Runners that die, hang, break their connection, or hold locks."""

import ctypes
import logging
import os
import signal
import subprocess
import threading
import time

from django.db import IntegrityError, connection, transaction
from django.db.backends.signals import connection_created
from django.utils.translation import activate, get_language

from netbox_jobs.exceptions import JobCanceled
from netbox_jobs.jobs import JobRunner

from .models import Thing
from .traces import trace


class Dying(JobRunner):
    class Meta:
        name = 'Dying'

    def run(self, how='kill', **kwargs):
        trace(self.job, 'start')
        if how == 'kill':
            os.kill(os.getpid(), signal.SIGKILL)
        elif how == 'segv':
            os.kill(os.getpid(), signal.SIGSEGV)
        else:
            os._exit(0 if how == 'leave' else 7)


class Stubborn(JobRunner):
    """Swallows the exception of its time limit."""

    class Meta:
        name = 'Stubborn'

    def run(self, **kwargs):
        while True:
            try:
                time.sleep(60)
            except Exception:
                logging.getLogger(__name__).info('heard, and not heeded')


class Stuck(JobRunner):
    """In C code that holds Python's lock and looks at no signal."""

    class Meta:
        name = 'Stuck'
        stop_grace = 1

    def run(self, **kwargs):
        trace(self.job, 'start')
        library = ctypes.PyDLL(None)  # unlike CDLL, it keeps Python's lock
        mutex = ctypes.create_string_buffer(64)
        for _ in range(2):  # the second time is for good, and no signal interrupts it
            library.pthread_mutex_lock(mutex)


class Lingering(JobRunner):
    """Receives the request to stop, leaves a trace of that, and continues; unless it is to heed it."""

    class Meta:
        name = 'Lingering'
        stop_grace = 100

    def run(self, heed=False, **kwargs):
        trace(self.job, 'start')
        for _ in range(2000):
            time.sleep(0.05)
            try:
                self.check_canceled()
            except JobCanceled:
                trace(self.job, 'heard')
                if heed:
                    raise
                time.sleep(100)


class Spawning(JobRunner):
    class Meta:
        name = 'Spawning'

    def run(self, **kwargs):
        child = subprocess.Popen(['sleep', '300'])
        self.job.data = {'pid': child.pid}
        self.job.save(update_fields=['data'])
        time.sleep(300)


class Breaking(JobRunner):
    """Leaves its connection in a state that takes no more statements."""

    class Meta:
        name = 'Breaking'

    def run(self, how='broken', **kwargs):
        if how == 'open':
            transaction.atomic().__enter__()
            Thing.objects.create(name='lost')
        elif how == 'broken':
            transaction.atomic().__enter__()
            with connection.cursor() as cursor:
                cursor.execute('SELECT nonsense FROM nowhere')
        elif how == 'swallowed':
            thing = Thing.objects.create()
            try:
                Thing.objects.create(pk=thing.pk)
            except IntegrityError:
                pass
        elif how == 'closed':
            connection.close()
        elif how == 'killed':
            with connection.cursor() as cursor:
                if connection.vendor == 'postgresql':
                    cursor.execute('SELECT pg_terminate_backend(pg_backend_pid())')
                elif connection.vendor == 'mysql':
                    cursor.execute('KILL CONNECTION_ID()')


class DyingAgain(JobRunner):
    class Meta:
        name = 'Dying again'
        on_crash = 'retry'
        max_crashes = 2

    def run(self, **kwargs):
        trace(self.job, 'start')
        os.kill(os.getpid(), signal.SIGKILL)


class Locking(JobRunner):
    """Holds its own row locked."""

    class Meta:
        name = 'Locking'

    def run(self, **kwargs):
        trace(self.job, 'start')
        with transaction.atomic():
            self.job.data = {'locked': True}
            self.job.save()
            time.sleep(120)


class Telltale(JobRunner):
    """Says what it finds in its process: which one, what earlier jobs have left, and how many connections were made."""

    class Meta:
        name = 'Telltale'

    def run(self, leave=''):
        self.job.data = {
            'pid': os.getpid(),
            'connections': len(connections_made),
            'language': get_language(),
            'log': self.logger.name,
        }
        if leave == 'language':
            activate('de')
        elif leave == 'process':
            self.job.data['left'] = subprocess.Popen(['sleep', '300']).pid
        elif leave == 'thread':
            threading.Thread(target=late_line, args=(self.logger,), daemon=True).start()
        elif leave == 'transaction':
            transaction.atomic().__enter__()
            Thing.objects.create(name='lost')


connections_made = []
connection_created.connect(lambda **kwargs: connections_made.append(1), weak=False)


def late_line(logger):
    time.sleep(1)
    logger.info('a line after the end')

"""Runners of the tests."""

import asyncio
import ctypes
import logging
import os
import resource
import signal
import subprocess
import threading
import time
from pathlib import Path

from asgiref.sync import sync_to_async
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, connection, transaction
from django.db.backends.signals import connection_created
from django.utils.translation import activate, get_language

from netbox_jobs.exceptions import JobCanceled, JobFailed
from netbox_jobs.jobs import JobRunner, current_job, system_job

from . import faults, offered  # noqa: F401
from .models import Thing
from .traces import trace


class Plain(JobRunner):
    class Meta:
        name = 'Plain'

    def run(self, **kwargs):
        trace(self.job, 'start')
        self.job.data = {key: str(value) for key, value in kwargs.items()}
        trace(self.job, 'end')


class Quiet(JobRunner):
    """Does nothing, and touches no database."""

    class Meta:
        name = 'Quiet'

    def run(self, **kwargs):
        pass


class Talking(JobRunner):
    class Meta:
        name = 'Talking'

    def run(self, lines=4, **kwargs):
        for number in range(lines):
            self.logger.info('line %s of %s', number + 1, lines)


class Failing(JobRunner):
    class Meta:
        name = 'Failing'

    def run(self, message='expected', **kwargs):
        self.job.data = {'seen': True}
        raise JobFailed(message)


class Erring(JobRunner):
    class Meta:
        name = 'Erring'

    def run(self, **kwargs):
        self.job.data = {'seen': True}
        raise RuntimeError('unexpected')


class Sleeping(JobRunner):
    """Runs until told: it waits for a file to appear, so that tests need no timing."""

    class Meta:
        name = 'Sleeping'

    def run(self, until=None, seconds=60, **kwargs):
        trace(self.job, 'start')
        deadline = time.monotonic() + seconds
        while not (until and os.path.exists(until)) and time.monotonic() < deadline:
            time.sleep(0.05)
        trace(self.job, 'end')


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
    """Hears that it is to be stopped, leaves a trace of that, and goes on; unless it is to heed it."""

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


class Overriding(JobRunner):
    """A plugin's runner that does all of it itself, as some in the wild do."""

    class Meta:
        name = 'Overriding'
        queue = 'low'
        job_timeout = 33

    @classmethod
    def handle(cls, job, *args, **kwargs):
        from datetime import timedelta

        job.start()
        cls(job).run(*args, **kwargs)
        job.terminate()
        if job.interval:
            cls.enqueue(
                instance=job.object,
                name=job.name,
                user=job.user,
                schedule_at=(job.scheduled or job.started) + timedelta(minutes=job.interval),
                interval=job.interval,
                **kwargs,
            )

    @classmethod
    def enqueue(cls, *args, **kwargs):
        kwargs.setdefault('marked', 'yes')
        return super().enqueue(*args, **kwargs)

    def run(self, marked, **kwargs):
        self.job.data = {'marked': marked}


class OwnQueue(JobRunner):
    """Names its queue in `enqueue()`, beside whatever the caller names."""

    class Meta:
        name = 'Own queue'

    @classmethod
    def enqueue(cls, *args, **kwargs):
        return super().enqueue(*args, queue_name='low', **kwargs)

    def run(self, **kwargs):
        trace(self.job, 'start')


class Deep(JobRunner):
    """Leaves data that MariaDB takes for no JSON: more than 32 levels of it."""

    def run(self, fail=False, **kwargs):
        data = []
        for _ in range(40):
            data = [data]
        self.job.data = data
        if fail:
            raise ValueError('no')


class Defaulting(JobRunner):
    """Names a queue and a limit in `enqueue()`, where the caller names none."""

    @classmethod
    def enqueue(cls, *args, **kwargs):
        kwargs.setdefault('queue_name', 'low')
        kwargs.setdefault('job_timeout', 7200)
        return super().enqueue(*args, **kwargs)

    def run(self, **kwargs):
        trace(self.job, 'start')


class Emptying(JobRunner):
    """Uses its arguments up."""

    def run(self, items, thing=None):
        self.job.data = list(items)
        items.clear()
        if thing is not None:
            thing.delete()


class Translating(JobRunner):
    """Makes other arguments of the caller's in `enqueue()`, and a note of them on the job."""

    calls = 0

    @classmethod
    def enqueue(cls, *args, kind='all', **kwargs):
        cls.calls += 1
        job = super().enqueue(*args, kinds=[kind.upper()], **kwargs)
        job.data = {'kinds': [kind.upper()]}
        job.save(update_fields=['data'])
        return job

    def run(self, kinds):
        self.job.data = {'ran': kinds}


class Attaching(JobRunner):
    """Finds out in its run what it is about."""

    def run(self, about):
        self.job.object_type = ContentType.objects.get_for_model(about)
        self.job.object_id, self.job.name = about.pk, 'about it'
        self.job.save(update_fields=['object_type', 'object_id', 'name'])


class Detailing(JobRunner):
    """Says more than its exception does."""

    def run(self, message, error='what went wrong, at length'):
        self.job.error = error
        raise JobFailed(message)


class Rearranging(JobRunner):
    """Enqueues the occurrence after itself, at another interval."""

    def run(self, to=None, **kwargs):
        if to:
            type(self).enqueue(interval=to)


def function_with_job_last(word, job, more=None):
    job.data = {'word': word, 'more': more}


def function_with_job_by_name(*, job, **kwargs):
    job.data = kwargs


def function_with_another_name(mine, **kwargs):
    mine.data = kwargs


class TakingAll(JobRunner):
    @classmethod
    def handle(cls, *args, **kwargs):
        kwargs['job'].data = 'seen'
        super().handle(*args, **kwargs)

    def run(self, word):
        self.job.data = [self.job.data, word]


class Moving(JobRunner):
    class Meta:
        name = 'Moving'

    def run(self, to=5, **kwargs):
        self.job.interval = to


@system_job(interval=60)
class Housekeeping(JobRunner):
    class Meta:
        name = 'Housekeeping'

    def run(self):
        trace(self.job, 'start')


def plain_function(job, word='none'):
    job.data = {'word': word}
    trace(job, 'start')


def failing_function(job):
    raise ValueError('no')


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


class Narrating(JobRunner):
    class Meta:
        name = 'Narrating'

    def run(self, count=0, until=None, **kwargs):
        if count:
            for number in range(count):
                self.logger.info('line %s', number)
            time.sleep(60)
        with transaction.atomic():
            Thing.objects.create()
            self.logger.info('within the transaction')
            deadline = time.monotonic() + 60
            while not os.path.exists(until) and time.monotonic() < deadline:
                time.sleep(0.05)
            raise RuntimeError('rolled back')


class Working(JobRunner):
    """What the chaos test runs: leaves a trace of its start and its end, and does things in between."""

    class Meta:
        name = 'Working'

    def run(self, seconds=0.0, lines=0, how='', fails=0):
        trace(self.job, 'start')
        for number in range(lines):
            self.logger.info('line %s', number)
        if how and (self.job.attempt == 1 or how == 'dies every time'):
            faults.befall(how)
        time.sleep(seconds)
        if self.job.retries < fails:
            raise RuntimeError(f'fails {fails} times')
        trace(self.job, 'end')


class WorkingAgain(Working):
    """The same, and to be run again when its process has died."""

    class Meta:
        name = 'Working again'
        on_crash = 'retry'
        max_crashes = 20


class WorkingTwice(Working):
    """To be run again when its process has died, but not for ever."""

    class Meta:
        name = 'Working twice'
        on_crash = 'retry'
        max_crashes = 2


class Flaky(JobRunner):
    """Fails as often as it is told to, then succeeds."""

    class Meta:
        name = 'Flaky'
        max_retries = 3
        retry_backoff = [0]

    def run(self, failures=1, expected=False, **kwargs):
        trace(self.job, 'start')
        self.logger.info('attempt %s', self.job.attempt)
        self.job.data = {'attempt': self.job.attempt}
        if self.job.attempt <= failures:
            raise JobFailed('expected') if expected else RuntimeError(f'attempt {self.job.attempt}')


class FlakyOnPurpose(Flaky):
    class Meta:
        name = 'Flaky on purpose'
        max_retries = 2
        retry_backoff = 0
        retry_on = (JobFailed, ConnectionError)


class Orderly(JobRunner):
    """Ends in order when it is stopped, and cleans up."""

    class Meta:
        name = 'Orderly'
        stop_grace = 20

    def run(self, seconds=60, **kwargs):
        trace(self.job, 'start')
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                self.check_canceled()
                time.sleep(0.05)
        finally:
            trace(self.job, 'cleaned')


class Asynchronous(JobRunner):
    class Meta:
        name = 'Asynchronous'

    async def run(self, seconds=0, **kwargs):
        await sync_to_async(trace)(self.job, 'start')
        self.logger.info('in a coroutine')
        try:
            await asyncio.sleep(seconds)
            self.job.data = {'job': current_job().pk}
        finally:
            await sync_to_async(trace)(self.job, 'cleaned')


async def coroutine_function(job, word='none'):
    await asyncio.sleep(0)
    job.data = {'word': word}


class Counting(JobRunner):
    """Tells how far it is."""

    class Meta:
        name = 'Counting'

    def run(self, total=5, until=None, **kwargs):
        for number in self.track(range(total), message='counting'):
            self.logger.info('number %s', number)
        deadline = time.monotonic() + 60
        while until and not os.path.exists(until) and time.monotonic() < deadline:
            time.sleep(0.05)


class Chatty(JobRunner):
    """Writes many lines, and measures what that costs in memory."""

    class Meta:
        name = 'Chatty'
        job_timeout = 170

    def run(self, lines, **kwargs):
        early = 0
        for number in range(lines):
            self.logger.info('line %s', number)
            if number == 10_000:
                early = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.job.data = {'grown': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - early}


class WorkingRetried(Working):
    """To be run again when it has failed."""

    class Meta:
        name = 'Working, retried'
        max_retries = 4
        retry_backoff = (0.1, 0.3, 0.5)


class WorkingRetriedAgain(Working):
    """To be run again when it has failed, and when its process has died."""

    class Meta:
        name = 'Working, retried again'
        max_retries = 4
        retry_backoff = (0.1, 0.3, 0.5)
        on_crash = 'retry'
        max_crashes = 20


class WorkingUntilStopped(Working):
    """Ends only when it is stopped: in order, or when its grace is over if it is `deaf`. Its successors just end."""

    class Meta:
        name = 'Working until stopped'
        stop_grace = 2

    def run(self, deaf=False):
        trace(self.job, 'start')
        deadline = time.monotonic() + (50 if self.job.predecessor_id is None else 0)
        while time.monotonic() < deadline:
            time.sleep(0.05)
            if not deaf:
                self.check_canceled()
        trace(self.job, 'end')


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


def wait_or_fail(path):
    """A job of RQ's own: waits for good, unless the file is there; then it fails."""
    if os.path.exists(path):
        raise ValueError('It is there.')
    Path(path).with_suffix('.begun').touch()
    time.sleep(300)

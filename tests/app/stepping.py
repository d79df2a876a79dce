"""Runners with steps, which leave traces: in the database of the jobs, or in a file that nothing rolls back."""

import os
import signal
import threading
from pathlib import Path

from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner

from .models import Thing


def note(path: str, what: str) -> str:
    """Add a line to a file."""
    with Path(path).open('a') as file:
        file.write(f'{what}\n')
    return what.upper()


def notes(path: str) -> list[str]:
    """The lines of the file."""
    return Path(path).read_text().split() if Path(path).exists() else []


class Stepping(JobRunner):
    """Three steps; dies, or fails, at a place in its first attempts."""

    class Meta:
        on_crash = 'retry'
        max_retries = 3
        retry_backoff = (0,)

    def run(self, path, fails='', dies='', times=1):
        def trouble(place):
            if self.job.attempt <= times and place == fails:
                raise RuntimeError(place)
            if self.job.attempt <= times and place == dies:
                os.kill(os.getpid(), signal.SIGKILL)

        first = self.step('first', note, path, 'first')
        trouble('after first')
        with self.step('store') as step:
            if not step.done:
                Thing.objects.create(name='stored')
                step.result = {'stored': 1}
                trouble('in store')
        trouble('after store')
        last = self.step('last', note, path, what='last')
        trouble('after last')
        self.job.data = [first, step.result, last]


class FailingStep(JobRunner):
    def run(self, path, expected=True):
        self.step('first', note, path, 'first')
        if self.job.retry_of_id is None:
            raise JobFailed('not yet')


class Coroutine(JobRunner):
    class Meta:
        max_retries = 1
        retry_backoff = (0,)

    async def run(self, path):
        async def fetch(what):
            return note(path, what)

        self.job.data = await self.astep('fetch', fetch, 'fetched')
        if self.job.attempt == 1:
            raise RuntimeError('once')


class Odd(JobRunner):
    """Uses steps as they are not meant to be used."""

    class Meta:
        max_retries = 1
        retry_backoff = (0,)

    def run(self, how):
        if how == 'twice':
            self.step('a', int)
            self.step('a', int)
        elif how == 'no name':
            self.step('', int)
        elif how == 'coroutine':

            async def fetch():
                pass

            self.step('a', fetch)
        elif how == 'unstorable':
            self.step('a', threading.Lock)
        elif how == 'not looked at':
            with self.step('a'):
                pass
            if self.job.attempt == 1:
                raise RuntimeError('once')

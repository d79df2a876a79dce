"""The command line, called in this process."""

import io
import json
import re
import sys
from dataclasses import dataclass

import pytest
from django.core.management import CommandError, call_command

from netbox_jobs.cli import follow
from netbox_jobs.maintenance import recovery


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def rows(self):
        return [re.split(r'  +', line.strip()) for line in self.out.splitlines()[1:]]


class Answers(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def jobs(monkeypatch):
    """Call the command line; `answer` makes standard input a terminal where that is typed."""

    def _jobs(*arguments, answer=None):
        monkeypatch.setattr(sys, 'stdin', io.StringIO() if answer is None else Answers(answer))
        out, err, code = io.StringIO(), io.StringIO(), 0
        try:
            call_command('jobs', *map(str, arguments), stdout=out, stderr=err)
        except CommandError as error:
            code = error.returncode
            err.write(str(error))
        except SystemExit as error:
            code = error.code
        return Said(code, out.getvalue(), err.getvalue())

    return _jobs


@pytest.fixture
def worker_between_looks(monkeypatch, work):
    """A command that follows a job waits for a worker, which works meanwhile."""

    def sleep(seconds):
        recovery.deliver_due()
        work()

    monkeypatch.setattr(follow.time, 'sleep', sleep)

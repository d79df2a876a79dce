"""Finalizers at the end of a child process: those of its jobs run there, and those of its parent do not."""

import os
import tempfile
import weakref
from multiprocessing import util
from pathlib import Path

import pytest

from netbox_jobs.worker import child_end

pytestmark = [pytest.mark.process, pytest.mark.once]


class Owner:
    """Something that is there until the end of the process."""


def test_what_a_job_has_made_is_finalized_at_the_end_of_its_process_and_what_its_parent_has_made_is_not(tmp_path):
    parents, owner = tempfile.TemporaryDirectory(dir=tmp_path), Owner()
    weakref.finalize(owner, Path(tmp_path, 'parent').write_text, 'x')
    util.Finalize(owner, Path(tmp_path, 'parent').write_text, args=('x',), exitpriority=1)
    pid = os.fork()
    if pid == 0:
        child_end.begin()
        kept = tempfile.TemporaryDirectory(dir=tmp_path, prefix='child'), Owner()
        weakref.finalize(kept[1], Path(tmp_path, 'finalized').write_text, 'x')
        util.Finalize(kept[1], Path(tmp_path, 'of multiprocessing').write_text, args=('x',), exitpriority=1)
        child_end.end(3)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    assert {path.name for path in tmp_path.iterdir()} == {
        'finalized',
        'of multiprocessing',
        Path(parents.name).name,
    }
    parents.cleanup()

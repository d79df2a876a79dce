"""A process that a test starts ends with the process that started it, also when that is killed.

`subprocess.Popen(tied([...]))` starts a command that the kernel kills as soon as its parent is gone; this file is what
stands between the two, and becomes the command. (A `preexec_fn` would fork a process with threads in Python.)
"""

import ctypes
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def tied(command: Iterable[str]) -> list[str]:
    """The command line that starts `command` such that it ends with this process."""
    return [sys.executable, '-I', '-S', __file__, str(os.getpid()), *command]


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent`, which started it, is gone.

    The kernel looks at the thread that forked; and only Linux does this.
    """
    try:
        set_option = ctypes.CDLL(None).prctl
    except AttributeError:
        return
    set_option(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before
        os.kill(os.getpid(), signal.SIGKILL)


def end_sessions(leaders: Iterable[int]) -> None:
    """Kill all processes of the sessions that these processes lead or led."""
    wanted = set(leaders)
    for entry in Path('/proc').iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / 'stat').read_text().rsplit(')', 1)[1].split()
                if int(stat[3]) in wanted:  # its session
                    os.kill(int(entry.name), signal.SIGKILL)
            except (OSError, IndexError):
                continue


def end_marked(variable: str, value: str) -> None:
    """Kill all processes but this one that have this in the environment that they started with."""
    mark = f'{variable}={value}'.encode()
    found = True
    while found:  # one may have forked while we looked
        found = False
        for entry in Path('/proc').iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    if mark in (entry / 'environ').read_bytes().split(b'\0'):
                        os.kill(int(entry.name), signal.SIGKILL)
                        found = True
                except OSError:
                    continue


if __name__ == '__main__':
    end_with_parent(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])

"""Child processes of the demonstration: each in a process group of its own, all gone at the end."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


class Children:
    """Starts processes, and ends them with all that they have started, in the reverse order."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder, self._environment = folder, environment
        self._children: list[tuple[str, subprocess.Popen[bytes]]] = []

    def manage(self, name: str, *arguments: str) -> None:
        """Start `manage.py ...` in the background, with its output in a file."""
        with (self._folder / f'{name}.log').open('wb') as output:
            process = subprocess.Popen(
                [sys.executable, 'manage.py', *arguments],
                cwd=Path(__file__).parent.parent,
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._children.append((name, process))

    def check(self) -> None:
        """Raise `RuntimeError`, with its last words, if one of them has ended."""
        for name, process in self._children:
            if process.poll() is not None:
                words = (self._folder / f'{name}.log').read_text(errors='replace').strip().splitlines()[-5:]
                raise RuntimeError(f'{name} has ended with exit code {process.returncode}: {" / ".join(words)}')

    def end(self) -> None:
        """End them all: politely, and after ten seconds by force."""
        for _name, process in reversed(self._children):
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + 10
        for _name, process in reversed(self._children):
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
            try:
                os.killpg(process.pid, signal.SIGKILL)  # also what it may have left behind
            except ProcessLookupError:
                pass
            process.wait()


def free_port() -> int:
    """A port of this machine on which no process listens."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether no process listens on this port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(('127.0.0.1', port))
        except OSError:
            return False
        return True

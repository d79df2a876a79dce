"""Log lines and progress of a running job, written to tables of their own while it runs.

In a worker they are written by a thread with a database connection of its own, so that others see them within two
seconds even while `run()` holds a transaction open, and so that they survive its rollback. A short job needs neither
the thread's connection nor its time: what is held at the end is written by the job's own connection.
"""

import logging
import os
import threading
import time
from datetime import UTC, datetime
from typing import Any

from django.db import Error as DBError
from django.db import connections
from django.utils import timezone

from ..core import clock
from ..core.text import storable_text
from ..models import Job, JobLogEntry, Progress, database

logger = logging.getLogger('netbox_jobs')

#: Seconds between two writes of the lines that have come in.
INTERVAL = 1.0
#: So many lines go into one INSERT,
BATCH = 500
#: and from so many on, the code that logs waits for the writer, so that memory stays flat.
HELD = 5000
#: One INSERT takes lines of about so many characters at the most, and a line is cut at half as many: a server takes no
#: statement that is too large (16 MiB on MariaDB).
LARGE = 2_000_000
_LARGEST = 2**63 - 1
#: The connections of the process that this one was forked from.
inherited: list[Any] = []


class LogWriter:
    """Collects the log lines of one run, and how far it is, and writes them in order."""

    def __init__(self, job: Job, *, own_connection: bool) -> None:
        """Args:
        job: The running job.
        own_connection: Write from a thread while the job runs; else on the caller's connection, at the end, or
            from time to time where no transaction is open.
        """
        self._job_id, self._attempt = job.pk, job.attempt or 1
        self._using = job._state.db or database()
        self._threaded = own_connection
        self._lines: list[JobLogEntry] = []
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._pid, self._forked = os.getpid(), False
        self._stuck = False
        self._progress: Progress | None = None
        self._reported = False  # whether the latest progress is written
        self._next_report = 0.0

    def add(self, level: str, message: str, created: float, *, soon: bool = True) -> None:
        """Accept one line.

        Args:
            level: Its level.
            message: Its text.
            created: In seconds since the epoch.
            soon: Whether to have it written within a second; else at the end of the run, if no thread writes it before.
        """
        line = JobLogEntry(
            job_id=self._job_id,
            attempt=self._attempt,
            level=level[:20],
            message=_cut(storable_text(message)),
            timestamp=clock.to_stored(datetime.fromtimestamp(created, UTC)),
        )
        if os.getpid() != self._pid:
            self._continue_in_fork()
        with self._changed:
            self._lines.append(line)
            held = len(self._lines)
        if self._forked:
            self.flush()  # this process may be killed
            return
        if self._threaded and not self._closed:
            if soon:
                self._start()
            if held >= BATCH:
                self._wake(wait=held >= HELD)
        elif held >= BATCH and not connections[self._using].in_atomic_block:
            self.flush()

    def _continue_in_fork(self) -> None:
        """Go on in a process that `run()` has forked: without the thread, and on a connection of its own."""
        self._pid, self._forked, self._threaded, self._thread = os.getpid(), True, False, None
        self._lines, self._changed, self._writing = [], threading.Condition(), threading.Lock()
        # That of the parent is kept as it is: to close it here would end the session of the parent.
        inherited.append(connections[self._using])
        connections[self._using] = connections[self._using].copy()

    def report(self, current: int, total: int | None, message: str) -> None:
        """Accept how far the run is. Only the latest report is written, once a second at most."""
        now = timezone.now()
        last = self._progress
        self._progress = Progress(
            job_id=self._job_id,
            attempt=self._attempt,
            current=_storable(current),
            total=None if total is None else _storable(total),
            message=storable_text(message)[:255],
            began_at=last.began_at if last else _storable(current),
            began=last.began if last else now,
            updated=now,
        )
        self._reported = False
        if self._threaded and not self._closed:
            self._start()
        elif time.monotonic() >= self._next_report and not connections[self._using].in_atomic_block:
            self._next_report = time.monotonic() + INTERVAL
            self.flush()

    def _write_progress(self) -> None:
        progress = self._progress
        if progress is None or self._reported:
            return
        fields = ['attempt', 'current', 'total', 'message', 'began_at', 'began', 'updated']
        by_key = ['job'] if connections[self._using].features.supports_update_conflicts_with_target else None
        Progress.objects.using(self._using).bulk_create(
            [progress], update_conflicts=True, unique_fields=by_key, update_fields=fields
        )
        self._reported = progress is self._progress

    def flush(self) -> bool:
        """Write what is held, on the calling thread's connection; return whether that succeeded."""
        with self._writing:
            try:
                self._write_progress()
                while batch := self._batch():
                    JobLogEntry.objects.using(self._using).bulk_create(batch)
                    with self._changed:
                        del self._lines[: len(batch)]
                        self._changed.notify_all()
            except DBError as error:
                if not self._stuck:
                    logger.info('Job %s: its log waits to be written (%s).', self._job_id, error)
                self._stuck = True
                return False
            self._stuck = False
        return True

    def _batch(self) -> list[JobLogEntry]:
        size = 0
        for number, line in enumerate(self._lines[:BATCH], 1):
            size += len(line.message)
            if size > LARGE // 2:
                return self._lines[:number]
        return self._lines[:BATCH]

    def close(self) -> None:
        """Write the rest; the run is over."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=10)
            self._thread = None
        if self._lines or (self._progress is not None and not self._reported):
            self.flush()

    def _start(self) -> None:
        if self._thread is not None:
            return
        with self._changed:  # the job may log in several threads
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._work, name=f'log of job {self._job_id}', daemon=True)
            try:
                thread.start()
            except (RuntimeError, MemoryError) as error:
                self._threaded = False
                logger.warning(
                    'Job %s: its log is written at its end, as no thread can be started (%s).', self._job_id, error
                )
                return
            self._thread = thread

    def _wake(self, *, wait: bool) -> None:
        with self._changed:
            self._changed.notify_all()
            # A writer that is held up by a lock of run() itself (SQLite) must not be waited for: it never comes.
            if wait and not self._stuck:
                self._changed.wait_for(lambda: len(self._lines) < HELD or self._stuck, timeout=5)

    def _work(self) -> None:
        try:
            next_write = time.monotonic() + INTERVAL
            while not self._closed:
                with self._changed:
                    self._changed.wait_for(
                        lambda: self._closed or (len(self._lines) >= BATCH and not self._stuck),
                        timeout=max(next_write - time.monotonic(), 0.01),
                    )
                if self._closed:
                    return
                if not self.flush():
                    connections[self._using].close()
                next_write = time.monotonic() + INTERVAL
        finally:
            connections.close_all()


def _cut(message: str) -> str:
    if len(message) <= LARGE // 2:
        return message
    return f'{message[: LARGE // 2]}… ({len(message):,} characters)'


def _storable(number: int) -> int:
    """The number, or the nearest that a column can hold."""
    return max(-_LARGEST, min(number, _LARGEST))

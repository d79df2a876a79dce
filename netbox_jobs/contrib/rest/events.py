"""Server-sent events: the progress and the log of one job while it runs."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections
from rest_framework.renderers import JSONRenderer
from rest_framework.utils.encoders import JSONEncoder

from ...core import conf
from ...models import Job, JobLogEntry
from ...monitoring import related
from .serializers import JobSerializer, LogEntrySerializer, attach

CONTENT_TYPE = 'text/event-stream'
#: Seconds between two looks, and after which the client connects anew: so long, a stream keeps a thread of the server.
EVERY, LONGEST = 1.0, 120.0
#: How many lines one look reads.
LINES = 500


#: The fields of an event, in the schema.
EVENT = {
    'type': 'object',
    'properties': {name: {'type': 'string'} for name in ('event', 'data', 'id')},
    'required': ['event', 'data'],
}


class EventStreamRenderer(JSONRenderer):
    """Lets clients ask for events; problems are JSON nevertheless."""

    media_type = CONTENT_TYPE
    format = 'events'


class Watch:
    """A job as one client has seen it so far."""

    def __init__(self, job: Job, after: int, context: Mapping[str, Any]) -> None:
        """Args:
        job: The job.
        after: The key of the last line of the log that the client has.
        context: The context of serializers.
        """
        self._pk, self._using, self._after = job.pk, job._state.db, after
        self._context = context
        self._seen: Any = None
        self._until = time.monotonic() + LONGEST
        #: Whether nothing more comes; and whether more lines are there already.
        self.over = self.behind = False

    def look(self) -> str:
        """Return the events since the last look."""
        # Before its log is read: the lines of an ended job are all there.
        rows = related.defer_large_fields(Job.objects.using(self._using)).select_related('object_type')
        job = rows.filter(pk=self._pk).first()
        if job is None:
            self.over = True
            return _event('deleted', {'id': self._pk})
        attach([job])
        document = JobSerializer(job, context=self._context).data
        text = ''
        if document != self._seen:
            self._seen = document
            text += _event('job', document)
        lines = self._lines()
        text += ''.join(_event('log', LogEntrySerializer(line).data, line.pk) for line in lines)
        self.behind = len(lines) == LINES
        if job.ended and not self.behind:
            self.over = True
            text += _event('end', {'id': job.pk, 'status': job.status})
        elif time.monotonic() > self._until:
            self.over = True
        return text

    def _lines(self) -> list[JobLogEntry]:
        rows = JobLogEntry.objects.using(self._using).filter(job_id=self._pk, pk__gt=self._after)
        found = list(rows.order_by('pk')[:LINES])
        self._after = found[-1].pk if found else self._after
        return found


def _event(name: str, data: Any, key: int | None = None) -> str:
    first = f'id: {key}\n' if key is not None else ''
    return f'{first}event: {name}\ndata: {json.dumps(data, cls=JSONEncoder)}\n\n'


class Places:
    """Counts the streams of this process that stay open."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.taken = 0

    @contextmanager
    def one(self) -> Iterator[bool]:
        """Take a place as long as the block lasts; yields False if `EVENT_STREAMS` of them are taken."""
        with self._lock:
            free = self.taken < conf.get('EVENT_STREAMS')
            self.taken += free
        try:
            yield free
        finally:
            with self._lock:
                self.taken -= free


places = Places()


def stream(watch: Watch, *, asynchronous: bool, sleep: Callable[[float], None] = time.sleep) -> Any:
    """Return an iterator for the answer: of the kind that the server needs.

    A stream that finds no place sends what there is and ends; the browser connects again after `EVERY` seconds.
    """
    return _asynchronous(watch) if asynchronous else _synchronous(watch, sleep)


def _synchronous(watch: Watch, sleep: Callable[[float], None]) -> Iterator[str]:
    with places.one() as stays:
        yield f'retry: {int(EVERY * 1000)}\n\n'
        while True:
            # A comment finds out whether the client is still there.
            yield watch.look() or ':\n\n'
            if watch.over or not (stays or watch.behind):
                return
            sleep(0 if watch.behind else EVERY)


async def _asynchronous(watch: Watch) -> AsyncIterator[str]:
    # If the client goes, the server cancels what is awaited here.
    with places.one() as stays:
        yield f'retry: {int(EVERY * 1000)}\n\n'
        while True:
            yield await sync_to_async(_look_and_disconnect)(watch) or ':\n\n'
            if watch.over or not (stays or watch.behind):
                return
            await asyncio.sleep(0 if watch.behind else EVERY)


def _look_and_disconnect(watch: Watch) -> str:
    """Return the events since the last look, and keep no database connection until the next one.

    An ASGI server runs the look in a thread that the request has to itself, so each stream would keep a connection.
    """
    try:
        return watch.look()
    finally:
        for connection in connections.all(initialized_only=True):
            if not connection.in_atomic_block:
                connection.close()

"""`captured_jobs()`: what a block of a test enqueues."""

from typing import Any, Self

from asgiref.sync import sync_to_async
from django.db.models import Max

from ..models import Job, database


class captured_jobs(list[Job]):
    """A context manager: a list that holds the jobs which were enqueued in its block, once that has ended.

    It holds every new job, also one that has run meanwhile, in the order of their keys. A job that `enqueue_once()`
    found waiting and changed is not new. In an asynchronous test, use `async with`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last = 0

    def __enter__(self) -> Self:
        self._last = Job.objects.using(database()).aggregate(last=Max('pk'))['last'] or 0
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if error is None:
            self[:] = Job.objects.using(database()).filter(pk__gt=self._last).order_by('pk')

    async def __aenter__(self) -> Self:
        return await sync_to_async(self.__enter__)()

    async def __aexit__(self, kind: Any, error: Any, traceback: Any) -> None:
        await sync_to_async(self.__exit__)(kind, error, traceback)

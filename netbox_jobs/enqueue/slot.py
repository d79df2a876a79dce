"""The place of a call of `enqueue_once()`: found under the lock of its schedule, or beside it."""

from dataclasses import replace

from django.db import connections

from ..lifecycle.locks import ScheduleLocked
from ..lifecycle.reservation import LateSlot, UniqueSlot
from ..models import Job, database
from . import join, late, schedule_lock
from .request import EnqueueRequest
from .unique import find_locked


def find_slot(request: EnqueueRequest, *, final: bool = True, within: bool = False) -> Job | UniqueSlot | LateSlot:
    """Return the waiting job of the request's runner and object, brought up to date; or the slot for a new one.

    Locks the schedule until the transaction ends.

    Args:
        request: What the caller asks for; fields that it has not named stay as they are.
        final: Whether the runner's own `enqueue()` would not change the request.
        within: Whether the caller has a transaction open, in which no lock of another transaction may be waited for.
            If the schedule is locked, the job joins it later.
    """
    using = database()
    within = within and request.unsaved is None
    if not within or not connections[using].features.has_select_for_update_skip_locked:
        schedule = schedule_lock.lock(request, using)
    else:
        if (final or 'kwargs' not in request.given) and (job := schedule_lock.unchanged(request, using)) is not None:
            return job
        try:
            patience = 0 if late.is_expected(using) else schedule_lock.PATIENCE
            schedule = schedule_lock.lock_without_waiting(request, using, patience)
        except ScheduleLocked:
            return late.slot(request, using)
    if schedule_lock.is_awaited(schedule):
        join.join_all(schedule, using)  # their calls came before this one
    found = find_locked(request, schedule, final=final)
    return replace(found, within=within) if isinstance(found, UniqueSlot) else found

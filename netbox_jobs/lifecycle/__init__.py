"""The one package that changes a job's status: each change is one conditional UPDATE, so that the row decides.

Where a chain of jobs is touched, its schedule is locked before the job, here and everywhere, so that no two callers
wait for each other.
"""

from .announcements import conclude
from .claim import claim, hold_new, rehearse, release, start, warm_up
from .finish import STOPPED, end, reopen, suspend
from .stop import cancel, mark_stopping, request_stop
from .wait import deliverable, hold_back, put_back, reschedule

__all__ = (
    'STOPPED',
    'cancel',
    'claim',
    'conclude',
    'deliverable',
    'end',
    'hold_back',
    'hold_new',
    'mark_stopping',
    'put_back',
    'rehearse',
    'release',
    'reopen',
    'request_stop',
    'reschedule',
    'start',
    'suspend',
    'warm_up',
)

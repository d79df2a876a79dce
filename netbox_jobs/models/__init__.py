from .attempts import JobAttempt
from .audit import AuditEntry
from .errors import MutedError
from .fields import InstanceRelation
from .jobs import Job, database
from .limits import LimitRow, LimitSlot
from .logs import JobLogEntry
from .mixins import JobsMixin
from .pending import PendingChange
from .progress import Progress
from .queues import PausedQueue
from .repairs import RepairCount
from .schedules import Schedule
from .stacks import JobStack
from .statistics import HourlyStatistics
from .steps import JobSignal, JobStep
from .unique import UniqueJob
from .workers import Worker

__all__ = (
    'AuditEntry',
    'HourlyStatistics',
    'InstanceRelation',
    'Job',
    'JobAttempt',
    'JobLogEntry',
    'JobSignal',
    'JobStack',
    'JobStep',
    'JobsMixin',
    'LimitRow',
    'LimitSlot',
    'MutedError',
    'PausedQueue',
    'PendingChange',
    'Progress',
    'RepairCount',
    'Schedule',
    'UniqueJob',
    'Worker',
    'database',
)

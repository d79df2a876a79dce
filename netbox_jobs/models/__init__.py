from .attempts import JobAttempt
from .audit import AuditEntry
from .errors import MutedError
from .fields import InstanceRelation
from .jobs import Job, database
from .limits import FairTurn, LimitRow, LimitSlot, RateStart
from .logs import JobLogEntry
from .mixins import JobsMixin
from .pending import PendingChange
from .progress import Progress
from .queues import PausedQueue, QueueLimit
from .repairs import RepairCount
from .schedules import Schedule
from .stacks import JobStack
from .statistics import HourlyStatistics
from .steps import JobSignal, JobStep
from .unique import UniqueJob
from .workers import Worker
from .workflows import Workflow, WorkflowMember

__all__ = (
    'AuditEntry',
    'FairTurn',
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
    'QueueLimit',
    'RateStart',
    'RepairCount',
    'Schedule',
    'UniqueJob',
    'Worker',
    'Workflow',
    'WorkflowMember',
    'database',
)

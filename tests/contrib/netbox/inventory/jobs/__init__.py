from .backup import BackupHousekeeping, BackupRunner
from .chain import ChainJob, PinnedJob, TimerJob
from .imports import ImportRunner, RetentionJob
from .sync import ReconcileJob, SyncDeviceJob

__all__ = (
    'BackupHousekeeping',
    'BackupRunner',
    'ChainJob',
    'ImportRunner',
    'PinnedJob',
    'ReconcileJob',
    'RetentionJob',
    'SyncDeviceJob',
    'TimerJob',
)

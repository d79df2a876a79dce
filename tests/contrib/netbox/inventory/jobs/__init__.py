from .backup import BackupHousekeeping, BackupRunner
from .chain import ChainJob, PinnedJob, TimerJob
from .imports import ImportRunner, RetentionJob
from .scripts import DashboardJob, NightlyJob, ScriptJob
from .sync import ReconcileJob, SyncDeviceJob

__all__ = (
    'BackupHousekeeping',
    'BackupRunner',
    'ChainJob',
    'DashboardJob',
    'ImportRunner',
    'NightlyJob',
    'PinnedJob',
    'ReconcileJob',
    'RetentionJob',
    'ScriptJob',
    'SyncDeviceJob',
    'TimerJob',
)

from .backup import BackupHousekeeping, BackupRunner
from .imports import ImportRunner, RetentionJob
from .sync import ReconcileJob, SyncDeviceJob

__all__ = ('BackupHousekeeping', 'BackupRunner', 'ImportRunner', 'ReconcileJob', 'RetentionJob', 'SyncDeviceJob')

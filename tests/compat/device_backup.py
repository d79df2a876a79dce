"""Has a constructor and helpers of its own; fails in an expected way, without ever saving its job."""

from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner


class BackupRunner(JobRunner):
    class Meta:
        name = 'Backup base'

    def __init__(self, job):
        super().__init__(job)
        self.results = {'saved': [], 'unreachable': []}

    def fetch(self, host):
        if host.startswith('down'):
            raise ConnectionError(host)
        return f'config of {host}'

    def run(self, hosts=(), *args, **kwargs):
        for host in hosts:
            try:
                self.results['saved'].append(self.fetch(host))
            except ConnectionError as error:
                self.logger.warning('%s cannot be reached', error)
                self.results['unreachable'].append(host)
        self.job.data = self.results
        if self.results['unreachable']:
            raise JobFailed(f'{len(self.results["unreachable"])} of {len(hosts)} hosts could not be reached')


class SwitchBackupJob(BackupRunner):
    class Meta(BackupRunner.Meta):
        name = 'Switch backup'


class StrictBackupJob(BackupRunner):
    """Raises the class, as some do."""

    def run(self, hosts=(), **kwargs):
        raise JobFailed

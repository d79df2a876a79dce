"""The jobs of the plugin: `manage.py jobs run project.reports.jobs.LongestJobs --wait`."""

from core.choices import JobStatusChoices
from core.exceptions import JobFailed
from core.models import Job
from netbox.jobs import JobRunner
from netbox.plugins import get_plugin_config


class LongestJobs(JobRunner):
    """Reports which jobs took longest."""

    class Meta:
        name = 'Longest jobs'

    def run(self, *args, **kwargs):
        ended = Job.objects.filter(status__in=JobStatusChoices.TERMINAL_STATE_CHOICES, execution_time__isnull=False)
        longest = ended.order_by('-execution_time')[: get_plugin_config('project.reports', 'limit')]
        if not longest:
            raise JobFailed('No job has ended yet')
        for job in longest:
            self.logger.info('%s took %s', job, job.duration)
        self.job.data = {'longest': [job.pk for job in longest]}

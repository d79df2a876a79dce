"""Functions instead of a class, as before there were runners: they start and terminate their job themselves."""

from netbox_jobs.choices import JobStatusChoices


def generate_report(job, *args, **kwargs):
    job.start()
    try:
        job.data = {'lines': kwargs['lines'], 'object': str(job.object)}
        job.terminate()
    except KeyError as error:
        job.terminate(status=JobStatusChoices.STATUS_ERRORED, error=f'missing argument {error}')


class Reports:
    @staticmethod
    def weekly(job, **kwargs):
        job.data = 'weekly'

    @classmethod
    def monthly(cls, job, **kwargs):
        job.data = f'monthly by {cls.__name__}'

"""Collects the lines of a library's logger in `job.data`, by a handler of its own."""

import logging

from netbox_jobs.jobs import JobRunner


class ListHandler(logging.Handler):
    def __init__(self, lines):
        super().__init__()
        self.lines = lines

    def emit(self, record):
        self.lines.append(self.format(record))


class MergeBranchJob(JobRunner):
    class Meta:
        name = 'Merge branch'
        job_timeout = 3600

    @property
    def job_timeout(self):
        return self.Meta.job_timeout

    def run(self, commit=True, *args, **kwargs):
        self.job.data = {'log': []}
        library = logging.getLogger('some_plugin.branch.merge')
        library.setLevel(logging.DEBUG)
        handler = ListHandler(self.job.data['log'])
        library.addHandler(handler)
        try:
            library.info('Merging %s', self.job.object)
            library.debug('timeout %s', self.job_timeout)
            if not commit:
                raise RuntimeError('conflict')
        finally:
            library.removeHandler(handler)

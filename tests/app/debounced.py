"""Runners with `Meta.debounce` and `Meta.throttle`."""

from datetime import timedelta

from netbox_jobs.jobs import Debounce, JobRunner, Throttle


class Debounced(JobRunner):
    class Meta:
        name = 'Debounced'
        debounce = Debounce(timedelta(minutes=10), at_most=timedelta(minutes=25))

    def run(self, page=0):
        self.job.data = page


class DebouncedPages(JobRunner):
    class Meta:
        name = 'Debounced by page'
        debounce = Debounce(timedelta(hours=1), by=('arguments.page',))
        concurrency = 1

    def run(self, page=0, call=0):
        self.job.data = call


class ThrottledPages(JobRunner):
    class Meta:
        name = 'Throttled by page'
        throttle = Throttle(timedelta(hours=1), by=('arguments.page',))

    def run(self, page=0, call=0):
        pass

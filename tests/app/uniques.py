"""Runners with `Meta.unique`."""

from datetime import timedelta

from netbox_jobs.jobs import JobRunner, Unique


class Same(JobRunner):
    class Meta:
        unique = Unique()

    def run(self, page=0, **kwargs):
        pass


class SamePage(JobRunner):
    """By one argument, as long as it waits."""

    class Meta:
        unique = Unique(by=('arguments.page',), while_=('waiting',))

    def run(self, page=0, note='', **kwargs):
        pass


class Replacing(JobRunner):
    class Meta:
        unique = Unique(by=('instance',), on_conflict='replace')

    def run(self, page=0):
        pass


class Raising(JobRunner):
    class Meta:
        unique = Unique(on_conflict='raise')

    def run(self, page=0):
        pass


class Throttled(JobRunner):
    """Once an hour, whatever becomes of it."""

    class Meta:
        unique = Unique(within=timedelta(hours=1), while_=())

    def run(self, page=0):
        pass

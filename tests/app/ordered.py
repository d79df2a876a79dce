"""Runners whose jobs have a place in the order of their queue."""

from netbox_jobs.jobs import JobRunner, Limit


class Urgent(JobRunner):
    class Meta:
        priority = 8

    def run(self, **kwargs):
        pass


class InTurns(JobRunner):
    """The jobs of tenants take turns."""

    class Meta:
        fair_by = 'tenant'

    def run(self, tenant='main', **kwargs):
        pass


class InTurnsOneAtOnce(JobRunner):
    """The same, and one runs at once."""

    class Meta:
        fair_by = 'tenant'
        limit = Limit(1)

    def run(self, tenant='main', **kwargs):
        pass

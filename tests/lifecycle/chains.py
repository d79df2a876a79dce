"""Chains of periodic jobs."""

from netbox_jobs.models import Job


def successor(job):
    return Job.objects.get(predecessor=job)

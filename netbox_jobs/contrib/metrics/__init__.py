"""Metrics for Prometheus: the extra `netbox-jobs[metrics]`."""

from .collector import JobsCollector

__all__ = ('JobsCollector',)

"""`JobsMixin`: for models whose objects have jobs."""

from typing import Any

from django.db import models

from ..choices import JobStatusChoices
from .fields import InstanceRelation


class JobsMixin(models.Model):
    """Adds `obj.jobs`, and takes an object's jobs along when it is deleted."""

    jobs = InstanceRelation(
        'netbox_jobs.Job', content_type_field='object_type', object_id_field='object_id', for_concrete_model=False
    )

    class Meta:
        abstract = True

    def get_latest_jobs(self) -> dict[str, Any]:
        """The latest ended job of each name, by name."""
        ended = self.jobs.filter(status__in=JobStatusChoices.TERMINAL_STATE_CHOICES)
        latest = ended.order_by().values('name').annotate(latest=models.Max('pk')).values_list('latest', flat=True)
        return {job.name: job for job in self.jobs.filter(pk__in=list(latest))}

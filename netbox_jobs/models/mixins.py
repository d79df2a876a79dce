"""`JobsMixin`: for models whose objects have jobs."""

from typing import TYPE_CHECKING, Any

from django.db import models

from ..choices import JobStatusChoices
from .fields import InstanceRelation
from .jobs import Job
from .querysets import JobManager, JobQuerySet


class JobsMixin(models.Model):
    """Adds `obj.jobs`, and takes an object's jobs along when it is deleted."""

    if TYPE_CHECKING:
        Meta: Any  # any class, so that a subclass need not inherit from this one's
        jobs: JobManager[Job]
    else:
        jobs = InstanceRelation(
            'netbox_jobs.Job', content_type_field='object_type', object_id_field='object_id', for_concrete_model=False
        )

        class Meta:
            abstract = True

    def get_latest_jobs(self) -> JobQuerySet[Job]:
        """The ended jobs about this object, the latest first, as a QuerySet; without their `data`, until it is read."""
        ended = self.jobs.filter(status__in=JobStatusChoices.TERMINAL_STATE_CHOICES)
        return ended.order_by('-created', '-pk').defer('data')

"""The models of the plugin. NetBox's own base classes are not provided; `JobsMixin` is."""

from django.db import models
from netbox.models.features import JobsMixin

from netbox.models import JobsMixin as SameMixin  # isort: skip

assert SameMixin is JobsMixin


class Device(JobsMixin, models.Model):
    name = models.CharField(max_length=100)
    status = models.CharField(max_length=20, default='unknown')
    checked = models.DateTimeField(null=True)
    job = models.ForeignKey('netbox_jobs.Job', on_delete=models.SET_NULL, null=True, related_name='+')

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        return f'/devices/{self.pk}/'

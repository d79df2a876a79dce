"""Models of the tests: objects with each kind of primary key, and a table in which runs leave their traces."""

import uuid

from django.db import models

from netbox_jobs.models import JobsMixin


class Thing(JobsMixin, models.Model):
    name = models.CharField(max_length=50, default='thing')

    def __str__(self):
        return self.name


class UUIDThing(JobsMixin, models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    name = models.CharField(max_length=50, default='thing')

    def __str__(self):
        return self.name


class TextThing(JobsMixin, models.Model):
    code = models.CharField(primary_key=True, max_length=50)

    def __str__(self):
        return self.code


class ProxyThing(Thing):
    class Meta:
        proxy = True


class ChildThing(Thing):
    extra = models.CharField(max_length=50, default='')

    def __str__(self):
        return self.extra


class ProxyChildThing(ChildThing):
    class Meta:
        proxy = True


class Trace(models.Model):
    """A run's start or end, written by the run itself."""

    job_pk = models.BigIntegerField(db_index=True)
    what = models.CharField(max_length=20)
    pid = models.IntegerField()
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return f'{self.job_pk} {self.what}'


class Report(models.Model):
    """What a plugin has that refers to jobs."""

    job = models.ForeignKey('netbox_jobs.Job', on_delete=models.SET_NULL, blank=True, null=True, related_name='+')
    made_by = models.ForeignKey('netbox_jobs.Job', on_delete=models.CASCADE, blank=True, null=True, related_name='+')
    proof = models.ForeignKey('netbox_jobs.Job', on_delete=models.PROTECT, blank=True, null=True, related_name='+')
    jobs = models.ManyToManyField('netbox_jobs.Job', related_name='+')
    known_as = models.ForeignKey(
        'netbox_jobs.Job', to_field='job_id', on_delete=models.CASCADE, blank=True, null=True, related_name='+'
    )
    based_on = models.ForeignKey('self', on_delete=models.PROTECT, blank=True, null=True)

    def __str__(self):
        return f'Report {self.pk}'

"""What the plugin stores."""

from typing import Any

from django.core.validators import MinValueValidator
from django.db import models, transaction
from django.urls import reverse
from django.utils import timezone

from netbox_jobs.models import JobsMixin

from .jobs import SyncSourceJob


class Source(JobsMixin, models.Model):
    """A URL that serves a list of records as JSON."""

    name = models.CharField(max_length=100, unique=True)
    url = models.CharField('URL', max_length=500)
    sync_interval = models.PositiveIntegerField(
        'sync every',
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text='Minutes; leave empty to sync on demand only.',
    )
    last_synced = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ('name',)

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the source and the schedule of its sync, both or neither."""
        with transaction.atomic():
            super().save(*args, **kwargs)
            if self.sync_interval:
                SyncSourceJob.enqueue_once(instance=self, interval=self.sync_interval)
            else:
                SyncSourceJob.end_schedule(instance=self)

    def get_absolute_url(self) -> str:
        return reverse('example_plugin:source', args=(self.pk,))

    def store(self, record: dict[str, Any]) -> bool:
        """Store one entry of the list; returns whether it is new."""
        _, created = Record.objects.update_or_create(
            source=self, key=record['key'], defaults={'data': record, 'last_seen': timezone.now()}
        )
        return created

    def mark_synced(self) -> None:
        """Record that the sync has read the whole list."""
        Source.objects.filter(pk=self.pk).update(last_synced=timezone.now())


class Record(models.Model):
    """One entry of a source's list."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name='records')
    key = models.CharField(max_length=200)
    data = models.JSONField(default=dict)
    last_seen = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ('key',)
        constraints = [models.UniqueConstraint(fields=('source', 'key'), name='example_plugin_record_key')]

    def __str__(self) -> str:
        return self.key

from django.contrib import admin

from netbox_jobs.admin import JobsAdminMixin

from .models import Record, Source


@admin.register(Source)
class SourceAdmin(JobsAdminMixin, admin.ModelAdmin):
    list_display = ('name', 'url', 'sync_interval', 'last_synced')
    search_fields = ('name', 'url')


@admin.register(Record)
class RecordAdmin(admin.ModelAdmin):
    list_display = ('key', 'source', 'last_seen')
    list_filter = ('source',)

from django.contrib import admin

from .models import Record, Source


@admin.register(Source)
class SourceAdmin(admin.ModelAdmin):
    list_display = ('name', 'url', 'sync_interval', 'last_synced')
    search_fields = ('name', 'url')


@admin.register(Record)
class RecordAdmin(admin.ModelAdmin):
    list_display = ('key', 'source', 'last_seen')
    list_filter = ('source',)

from netbox_jobs.plugins import PluginConfig


class ExamplePluginConfig(PluginConfig):
    name = 'example_plugin'
    verbose_name = 'Remote sources'
    description = 'Fetches records from remote sources in the background'
    version = '0.1.0'
    min_version = '4.2.0'
    default_auto_field = 'django.db.models.BigAutoField'
    # Becomes the queue example_plugin.sync, to be served by `manage.py rqworker example_plugin.sync`.
    queues = ['sync']
    default_settings = {
        'timeout': 10,  # seconds that a source may take for a page
        'keep_days': 30,  # days for which records that a source no longer has are kept
        'ask_above': 10_000,  # so many old records are deleted without asking
    }

    def ready(self) -> None:
        from .housekeeping import PurgeRecordsJob  # here, as it imports models

        # Registered here, scheduled when a worker starts: every night at half past three.
        PurgeRecordsJob.setup(cron='30 3 * * *')

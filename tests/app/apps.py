import os

from netbox_jobs.plugins import PluginConfig


class TestAppConfig(PluginConfig):
    name = 'tests.app'
    label = 'testapp'
    queues = ['work', 'bulk']
    default_settings = {'limit': 7, 'token': 'default'}
    required_settings = ['token']

    def ready(self):  # like the page: without super()
        from . import jobs  # noqa: F401

        if step := os.environ.get('TEST_KILL_AT'):
            from . import faults

            faults.install(step)

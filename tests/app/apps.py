from netbox_jobs.plugins import PluginConfig


class TestAppConfig(PluginConfig):
    name = 'tests.app'
    label = 'testapp'
    queues = ['work', 'bulk']  # noqa: RUF012
    default_settings = {'limit': 7, 'token': 'default'}  # noqa: RUF012
    required_settings = ['token']  # noqa: RUF012

    def ready(self):  # like the page: without super()
        from . import jobs  # noqa: F401

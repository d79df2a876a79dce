"""A plugin as NetBox installs it: its configuration stands in its `__init__.py`, and nothing in it was changed."""

from netbox.plugins import PluginConfig, get_plugin_config

__version__ = '1.4.0'


class InventoryConfig(PluginConfig):
    name = 'tests.contrib.netbox.inventory'
    verbose_name = 'Inventory'
    description = 'Reads the inventory of devices'
    version = __version__
    author = 'A. Uthor'
    base_url = 'inventory'
    min_version = '4.5.0'
    max_version = '4.5.99'
    required_settings = ['endpoint']
    default_settings = {'frequency': 3600, 'dry_run': False}
    queues = ['sync']
    middleware = ['tests.contrib.netbox.inventory.middleware.ActiveSite']
    django_apps = ['django_rq']
    graphql_schema = 'graphql.schema'
    template_extensions = 'template_content.extensions'
    menu = 'navigation.menu'

    def ready(self):
        super().ready()
        from . import jobs, navigation, signals  # noqa: F401

        self.endpoint = get_plugin_config(self.name, 'endpoint')


config = InventoryConfig

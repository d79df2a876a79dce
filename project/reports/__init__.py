"""A plugin as it was written for NetBox: the imports of its job code are NetBox's."""

from netbox.plugins import PluginConfig


class ReportsConfig(PluginConfig):
    name = 'project.reports'
    verbose_name = 'Reports'
    version = '1.0'
    min_version = '4.5.0'
    default_settings = {'limit': 5}


config = ReportsConfig

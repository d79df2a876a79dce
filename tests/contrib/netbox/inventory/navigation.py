"""The menu of the plugin."""

from netbox.plugins import PluginMenu, PluginMenuButton, PluginMenuItem, PluginTemplateExtension
from netbox.plugins.navigation import PluginMenuItem as SameItem

add = PluginMenuButton(
    'plugins:inventory:device_add', 'Add', 'mdi mdi-plus-thick', permissions=['inventory.add_device']
)
devices = PluginMenuItem(link='plugins:inventory:device_list', link_text='Devices', buttons=(add,))
menu = PluginMenu(label='Inventory', groups=(('Devices', (devices,)),), icon_class='mdi mdi-server')
assert SameItem is PluginMenuItem


class DevicePanel(PluginTemplateExtension):
    models = ['inventory.device']

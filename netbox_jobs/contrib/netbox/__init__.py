"""An app that provides the modules which job code of NetBox plugins imports, so that it runs unchanged without NetBox.

Put `'netbox_jobs.contrib.netbox'` into `INSTALLED_APPS`, after `'netbox_jobs'` and before the plugins.
"""

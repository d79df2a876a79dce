"""An app that answers the imports of a NetBox plugin's job code, so that it runs unchanged in a Django project.

Put `'netbox_jobs.contrib.netbox'` into `INSTALLED_APPS`, after `'netbox_jobs'` and before the plugins.
"""

"""A project with a NetBox plugin, whose job code imports NetBox's modules; see `netbox_jobs.contrib.netbox`."""

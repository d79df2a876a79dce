"""An app whose jobs two versions of netbox_jobs run side by side."""

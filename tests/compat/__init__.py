"""Job modules as NetBox plugins have them; only their imports name this package.

`tests/unit/test_netbox_compat.py` runs them.
"""

"""Job modules as NetBox plugins have them; only their imports name this package.

`tests/compat/test_plugins.py` runs them.
"""

"""Tests of other projects, run against this package: see `__main__.py`."""

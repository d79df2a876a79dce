"""Projects that differ from that of the other tests: their settings, and what must hold in them.

`tests/projects/test_projects.py` runs each `checks_<name>.py` in a process of its own, with the settings `<name>.py`.
"""

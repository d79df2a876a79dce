"""The command line `manage.py jobs`: its parser, its commands, and its output."""

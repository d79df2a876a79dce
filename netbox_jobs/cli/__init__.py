"""The command line `manage.py jobs`: what it understands, what it looks up, and what it shows."""

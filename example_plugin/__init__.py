"""An example of a plugin with background jobs: remote sources whose records are fetched over HTTP.

Copy it and make it yours: `apps.py` declares queues and settings, `jobs.py` the work, `models.py` schedules it.
"""

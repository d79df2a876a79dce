"""A REST API for jobs, runners, schedules, queues and workers, with Django REST framework.

Include its addresses: `path('api/', include('netbox_jobs.contrib.rest.urls'))`.
"""

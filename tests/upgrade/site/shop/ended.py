"""Wait until all jobs have ended that do not recur, and print what became of them."""

import json
import time

import django

django.setup()

from netbox_jobs.models import Job, Schedule  # noqa: E402

deadline = time.monotonic() + 100
while Job.objects.filter(schedule=None, status__in=('pending', 'scheduled', 'running')).exists():
    assert time.monotonic() < deadline, 'some jobs do not end'
    time.sleep(0.2)
for schedule in Schedule.objects.filter(runner__endswith='Recurring'):
    while (waiting := Job.objects.waiting().filter(schedule=schedule).count()) != 1:
        assert time.monotonic() < deadline, f'{waiting} jobs of a schedule wait'
        time.sleep(0.2)
print(json.dumps([[job.pk, job.status, job.data] for job in Job.objects.all()]))

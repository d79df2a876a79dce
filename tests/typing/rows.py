"""Jobs and schedules, as code finds them."""

from datetime import datetime, timedelta
from typing import Any, assert_type

from example_plugin.models import Source
from netbox_jobs.exceptions import JobFailed, NetBoxJobsError, UnknownQueue
from netbox_jobs.jobs import Job, current_job
from netbox_jobs.models import Schedule
from netbox_jobs.models.querysets import JobQuerySet

from .runners import Sync

source = Source()

# The jobs of an object, and of a runner
assert_type(source.jobs.all(), JobQuerySet[Job])
assert_type(source.jobs.filter(status='errored').ended(), JobQuerySet[Job])
assert_type(source.jobs.first(), Job | None)
assert_type(source.get_latest_jobs(), JobQuerySet[Job])
assert_type(source.get_latest_jobs()[0].elapsed_time, timedelta | None)
assert_type(Sync.get_jobs(), JobQuerySet[Job])
assert_type(Sync.get_jobs(source).waiting().running(), JobQuerySet[Job])
assert_type(Sync.get_jobs().get(), Job)
assert_type(Sync.end_schedule(source), bool)
Sync.get_jobs('source')  # type: ignore[arg-type]

# All jobs
assert_type(Job.objects.all(), JobQuerySet[Job])
assert_type(Job.objects.using('default').waiting().order_by('pk').defer('data'), JobQuerySet[Job])
assert_type(Job.objects.filter(status='running').first(), Job | None)
assert_type(Job.objects.running().count(), int)
assert_type(Job.objects.get(pk=1), Job)
Job.objects.runing()  # type: ignore[attr-defined]

# One job
job = Sync.enqueue()
assert_type(job.name, str)
assert_type(job.error, str)
assert_type(job.interval, int | None)
assert_type(job.status, str)
assert_type(job.ended, bool)
assert_type(job.duration, str | None)
assert_type(job.cancel(), bool)
assert_type(job.stop(), bool)
assert_type(job.retry(), Job)
assert_type(job.get_arguments(), dict[str, Any])
assert_type(current_job(), Job | None)
job.terminate('completed')
job.terminate(status=1)  # type: ignore[arg-type]

# Schedules
schedule = Schedule.objects.get(pk=1)
assert_type(schedule.current_job(), Job | None)
assert_type(schedule.last_job, Job | None)
assert_type(schedule.ended_jobs, JobQuerySet[Job])
assert_type(schedule.run_now(), Job | None)
assert_type(schedule.jobs.waiting(), JobQuerySet[Job])
assert_type(schedule.next_run, datetime | None)
assert_type(schedule.pause(), bool)
schedule.change(interval=60)
schedule.change(interval='60')  # type: ignore[arg-type]

# Exceptions
errors: list[type[NetBoxJobsError]] = [JobFailed, UnknownQueue]
unknown: ValueError = UnknownQueue('nowhere')

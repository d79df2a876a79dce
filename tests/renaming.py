"""Jobs whose code is no longer where it was."""

from netbox_jobs.core import arguments, contexts
from netbox_jobs.models import Job


def rename(job: Job, path: str) -> None:
    """Have a job name other code, as if it had been enqueued so; its arguments are signed anew."""
    job.refresh_from_db()
    stored = arguments.Stored(job.arguments_format, bytes(job.arguments), job.arguments_shown)
    signature = stored.signature(job.job_id, path, contexts.signed_text(job.context))
    Job.objects.filter(pk=job.pk).update(runner=path, arguments_signature=signature)

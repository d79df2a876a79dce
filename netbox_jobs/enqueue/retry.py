"""A new job with the arguments of one that has ended."""

from functools import partial

from ..choices import JobStatusChoices
from ..core import contexts, import_path, runner_options, transactions
from ..core.options import as_keywords
from ..exceptions import InstanceGone
from ..lifecycle import job_signals, steps
from ..lifecycle.reservation import RetryOf, reserved
from ..models import Job, database, services


@services.retry.provide
def retry(job: Job) -> Job:
    """Enqueue an ended job again, through its runner's own `enqueue()`; see `Job.retry()`."""
    if job.runner and not job.is_signed:
        job.get_arguments()  # raises what is wrong, before a module is imported that the row names
    runner = import_path.resolve(job.runner)
    enqueue = runner.enqueue if getattr(runner, 'is_job_runner', False) else partial(Job.enqueue, runner)
    using = database()
    with contexts.restored(job), transactions.transacting(using):
        if job.object_type_id is not None and job.object is None:  # also one that was never saved
            raise InstanceGone(f'The object of job {job.pk} ({job.name}) no longer exists.')
        with reserved(RetryOf(job)):
            new: Job = enqueue(
                instance=job.object,
                name=job.name,
                user=job.user,
                notifications=job.notifications,
                **as_keywords(job.get_arguments()),
            )
        # Repeated by itself, a member of a workflow can read the results of the others, and is no member.
        kept = {} if job.workflow_id is None else {'workflow': job.workflow_id}
        Job.objects.using(using).filter(pk=new.pk).update(retry_of=job, **kept)
        new.retry_of = job
        new.workflow_id = job.workflow_id
        steps.take_over(new, job, runner_options.version(runner))
        if job.status != JobStatusChoices.STATUS_COMPLETED:
            job_signals.take_over(new, job)
    return new

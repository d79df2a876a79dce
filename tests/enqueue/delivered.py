"""What stands in Redis."""

from netbox_jobs.broker import delivery


def ids_in_rq(name='default'):
    return delivery.queue(name).job_ids

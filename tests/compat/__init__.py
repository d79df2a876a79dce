"""Job modules as NetBox plugins have them; only their imports name this package. The tests beside them run them."""


def messages(job):
    """What the log of a job says."""
    return [entry['message'] for entry in job.log_entries]

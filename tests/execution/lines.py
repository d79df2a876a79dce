"""Lines of a job's log."""


def messages(job):
    return [entry['message'] for entry in job.log_entries]

"""The fast worker: the same promises, with a child process that runs one job after the other."""

from ..core import conf
from .loop import Worker


class FastWorker(Worker):
    """A worker whose child lives on; see `rqworker --fast`.

    The child is replaced when it dies, has to be killed, leaves a process behind, or has run `JOBS_PER_CHILD` jobs.
    """

    def jobs_per_child(self) -> int:
        """As many as the project says."""
        return int(conf.get('JOBS_PER_CHILD'))

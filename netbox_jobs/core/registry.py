"""The system jobs: what `system_job()` and `setup()` have registered."""

from typing import Any

#: Runners, with what to pass to `enqueue_once()` when a worker starts.
system_jobs: dict[type[Any], dict[str, Any]] = {}

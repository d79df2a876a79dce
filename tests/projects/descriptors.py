"""A process with more open descriptors than `select()` takes."""

import os
import resource

from tests.settings import *  # noqa: F403

_hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, _hard) if _hard > 0 else 4096, _hard))
_open = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]

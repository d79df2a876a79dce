"""Which versions a process runs, so that those of all workers can be compared."""

import platform

import django
import rq

from .. import __version__


def running() -> str:
    """Return the versions of this process as one text, such as 'netbox-jobs 0.1.0, Django 5.2, rq 2.6, Python 3.13'."""
    return (
        f'netbox-jobs {__version__}, Django {django.__version__}, rq {rq.VERSION}, Python {platform.python_version()}'
    )

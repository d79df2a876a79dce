"""The command about signals to jobs."""

import json
from argparse import Namespace
from typing import Any

from ..exceptions import JobEnded
from . import lookup
from .exits import FAILURE, SUCCESS, usage_error
from .screen import Screen


def send(screen: Screen, options: Namespace) -> int:
    """`jobs signal`."""
    job = lookup.job(options.id)
    try:
        job.signal(options.name, _payload(options.payload))
    except JobEnded as error:
        screen.result(job.pk, str(error), done=False)
        return FAILURE
    except (ValueError, TypeError) as error:
        raise usage_error(str(error)) from error
    screen.result(job.pk, f'Job {job.pk} ({job.name}): the signal {options.name} is sent.')
    return SUCCESS


def _payload(text: str | None) -> Any:
    """Return a payload: a JSON value, or text for any other."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text

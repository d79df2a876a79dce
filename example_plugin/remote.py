"""Talks to remote sources: knows HTTP and JSON, and nothing of jobs or models."""

import json
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

LIMIT = 10 * 1024 * 1024  # bytes


class SourceUnavailable(Exception):
    """The source could not be read; the message says why."""


def fetch(url: str, timeout: float) -> list[dict[str, Any]]:
    """Return the list of records that `url` serves.

    Args:
        url: Where; http or https.
        timeout: Seconds.

    Raises:
        SourceUnavailable: It cannot be reached, answers with an error, or with something else than a JSON list.
    """
    if not url.startswith(('http://', 'https://')):
        raise SourceUnavailable(f'{url!r} is not an http or https URL.')
    try:
        with urlopen(Request(url, headers={'Accept': 'application/json'}), timeout=timeout) as response:
            body = response.read(LIMIT + 1)
    except HTTPError as error:
        with error:
            raise SourceUnavailable(f'{url} answers with {error.code} {error.reason}.') from error
    except (URLError, OSError, ValueError) as error:
        raise SourceUnavailable(f'{url} cannot be read: {error}') from error
    if len(body) > LIMIT:
        raise SourceUnavailable(f'{url} serves more than {LIMIT:,} bytes.')
    try:
        records = json.loads(body)
    except ValueError as error:
        raise SourceUnavailable(f'{url} does not serve JSON: {error}') from error
    if not isinstance(records, list):
        raise SourceUnavailable(f'{url} serves a {type(records).__name__}, not a list of records.')
    return records

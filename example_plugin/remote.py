"""Talks to remote sources: knows HTTP and JSON, and nothing of jobs or models."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException, InvalidURL
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit, urlunsplit
from urllib.request import Request, urlopen

LIMIT = 10 * 1024 * 1024  # bytes of a page


class SourceUnusable(Exception):
    """The source cannot be read as it is; the message says why."""


class SourceUnavailable(SourceUnusable):
    """The source could not be read just now; it may be worth another try."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a source's list of records, and how many it has in all, if it says so."""

    number: int
    records: list[dict[str, Any]]
    total: int | None


def pages(url: str, timeout: float) -> Iterator[Page]:
    """Fetch the list of records that `url` serves: as one page, or as `?page=1` and so on if it counts its records.

    Args:
        url: Where; http or https.
        timeout: Seconds that each page may take.

    Raises:
        SourceUnavailable: It cannot be reached, or is in trouble.
        SourceUnusable: It is no such URL, refuses, or answers with something else than a JSON list.
    """
    number, received = 1, 0
    while True:
        page = _fetch(url, number, timeout)
        received += len(page.records)
        yield page
        if page.total is None or received >= page.total or not page.records:
            return
        number += 1


def _fetch(url: str, number: int, timeout: float) -> Page:
    if not url.startswith(('http://', 'https://')):
        raise SourceUnusable(f'{url!r} is not an http or https URL.')
    try:
        parts = urlsplit(url)
        query = '&'.join(filter(None, (parts.query, urlencode({'page': number}))))
        request = Request(urlunsplit(parts._replace(query=query)), headers={'Accept': 'application/json'})
        with urlopen(request, timeout=timeout) as response:
            body, total = response.read(LIMIT + 1), response.headers.get('X-Total-Count', '')
            if response.length and len(body) <= LIMIT:  # so much more was announced
                raise SourceUnavailable(f'{url} broke off.')
    except HTTPError as error:
        with error:
            trouble = error.code >= 500 or error.code in (408, 429)
            kind = SourceUnavailable if trouble else SourceUnusable
            raise kind(f'{url} answers with {error.code} {error.reason}.') from error
    except (InvalidURL, ValueError) as error:
        raise SourceUnusable(f'{url} cannot be read: {error}.') from error
    except (URLError, OSError, HTTPException) as error:
        raise SourceUnavailable(f'{url} cannot be reached: {getattr(error, "reason", error)!s}.') from error
    if len(body) > LIMIT:
        raise SourceUnusable(f'{url} serves more than {LIMIT:,} bytes.')
    try:
        records = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SourceUnusable(f'{url} does not serve JSON: {error}.') from error
    if not isinstance(records, list):
        raise SourceUnusable(f'{url} serves a {type(records).__name__}, not a list of records.')
    return Page(number, records, int(total) if total.isdecimal() else None)

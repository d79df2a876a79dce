"""The name under which this process claims jobs."""

import os
import socket
from uuid import uuid4

# The name, with the process that it was made for.
_token: tuple[int, str] = (0, '')
_inherited = False
_name = ''


def process_token() -> str:
    """The name under which this process claims jobs; a child of a worker claims under its parent's."""
    global _token
    if _token[0] != os.getpid() and not _inherited:
        _token = (os.getpid(), uuid4().hex)
    return _token[1]


def adopt_token(token: str, name: str = '') -> None:
    """Claim under `token` from now on, in this process and in those that it forks; `name` is the worker's."""
    global _token, _inherited, _name
    _token, _inherited, _name = (os.getpid(), token), True, name


def process_name() -> str:
    """The name of the worker that this process belongs to, else its host and number."""
    return _name or f'{socket.gethostname()}.{os.getpid()}'


def is_child_of_worker() -> bool:
    """Whether a worker of ours stands behind this process and gives its signs of life."""
    return _inherited

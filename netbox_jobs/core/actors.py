"""Who acts: the user, the command line, or the code behind an action that the audit trail records."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import Any

#: Where actions come from.
ADMIN, WEB, REST, COMMAND_LINE, PYTHON = FACES = ('admin', 'web', 'rest', 'command line', 'python')

_actor: ContextVar['Actor | None'] = ContextVar('netbox_jobs.actor', default=None)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and through which interface."""

    face: str
    #: In words, for when the user is deleted.
    name: str
    user_id: Any = None

    def as_arguments(self) -> dict[str, Any]:
        """Return the actor as an argument of a job that acts later: `Actor(**arguments)`."""
        return asdict(self)


def of_user(user: Any, face: str = PYTHON) -> Actor:
    """Return a user as an actor."""
    name = user.get_username() if hasattr(user, 'get_username') else user  # of an authentication without a model
    return Actor(face, str(name) or 'anonymous', getattr(user, 'pk', None))


def current(user: Any = None) -> Actor | None:
    """Return who acts in the calling code; None if it has not been said.

    Args:
        user: The user that was passed to the action, who comes first.
    """
    actor = _actor.get()
    if user is None:
        return actor
    return of_user(user, actor.face if actor is not None else PYTHON)


@contextmanager
def acting(user: Any = None, *, name: str = '', face: str = PYTHON) -> Iterator[None]:
    """Have the audit trail record the actions in this block.

    Args:
        user: The user who acts; or
        name: who it is in words, such as 'nightly cleanup'.
        face: The interface; 'python' for code.

    Raises:
        ValueError: Neither a user nor a name is given.
    """
    if user is None and not name:
        raise ValueError('acting() needs a user or a name; neither is given.')
    with acting_as(Actor(face, name) if user is None else of_user(user, face)):
        yield


@contextmanager
def acting_as(actor: Actor | None) -> Iterator[None]:
    """Have the audit trail record the actions in this block as this actor's; None for actions that it leaves out."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)


def act_as(actor: Actor) -> None:
    """Set who acts for the rest of an `acting_as()` block: who sent a request is known only in the middle of it."""
    _actor.set(actor)

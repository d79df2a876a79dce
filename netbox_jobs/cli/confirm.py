"""The confirmation of commands that cannot be undone: an answer on a terminal, or `--yes`."""

from collections.abc import Sequence
from typing import TextIO

from .exits import FAILURE, usage_error
from .screen import Screen

#: How many of the objects a question lists.
_LISTED = 10


def ask(screen: Screen, answers: TextIO, question: str, objects: Sequence[str] = (), *, yes: bool) -> int | None:
    """Ask for confirmation, unless `--yes` was given.

    Args:
        screen: Where to ask.
        answers: Where the answer comes from: standard input.
        question: The question, which names the object or counts the objects.
        objects: A line for each object, if there are several.
        yes: Whether `--yes` was given.

    Returns:
        None if the command may go on, else the exit code.

    Raises:
        CommandError: Standard input is not a terminal.
    """
    if yes:
        return None
    if not answers.isatty():
        raise usage_error(f'{question} Standard input is not a terminal; pass --yes to confirm.')
    for line in objects[:_LISTED]:
        screen.notice(f'  {line}')
    if len(objects) > _LISTED:
        screen.notice(f'  and {len(objects) - _LISTED} more')
    screen.ask(question)
    if answers.readline().strip().lower() in ('y', 'yes'):
        return None
    screen.notice('Nothing was done.')
    return FAILURE

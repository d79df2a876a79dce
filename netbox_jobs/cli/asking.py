"""Before something that cannot be taken back: a yes on a terminal, or `--yes`."""

from collections.abc import Sequence
from typing import TextIO

from .exits import UNDONE, wrong
from .screen import Screen

_NAMED = 10


def confirmed(screen: Screen, answers: TextIO, question: str, about: Sequence[str] = (), *, yes: bool) -> int | None:
    """Ask, unless `yes` was said already.

    Args:
        screen: Where to ask.
        answers: Where the answer comes from: standard input.
        question: What is going to be done.
        about: What it is done to, a line for each.
        yes: Whether `--yes` was given.

    Returns:
        None if it is to be done, else the exit code.

    Raises:
        CommandError: Nobody can be asked.
    """
    if yes:
        return None
    if not answers.isatty():
        raise wrong('Nobody can be asked here, since standard input is no terminal; say --yes if you mean it.')
    for line in about[:_NAMED]:
        screen.notice(f'  {line}')
    if len(about) > _NAMED:
        screen.notice(f'  and {len(about) - _NAMED} more')
    screen.ask(question)
    if answers.readline().strip().lower() in ('y', 'yes'):
        return None
    screen.notice('Nothing was done.')
    return UNDONE

"""The live screen of `jobs top`, and the keys of its terminal."""

import os
import selectors
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from django.utils.text import capfirst
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from ..core import formatting
from .screen import Table

_KEYS = {b'\x1b[A': 'up', b'\x1bOA': 'up', b'\x1b[B': 'down', b'\x1bOB': 'down', b'\t': 'tab', b'\x03': 'q'}
_HELP = 'Tab part   ↑ ↓ row   p pause or resume   s stop   r retry all   q quit'


class Top(Protocol):
    """What is shown, and what keys do; see `top.Top`."""

    part: str
    row: int
    said: str

    @property
    def asked(self) -> str:
        """The question that the next key answers."""

    def look(self) -> None:
        """Read what happens now."""

    def press(self, key: str) -> bool:
        """Do what a key says; return False to quit."""

    def tables(self) -> dict[str, Table]:
        """Return the table of each part."""


def run(
    console: Console, draw: Callable[[Table, int | None], RenderableType], top: Top, every: float, keys: int
) -> None:
    """Show what happens, again and again, until the user quits.

    Args:
        console: The terminal.
        draw: Draws a table with its selected row.
        top: What is shown, and what keys do.
        every: Seconds between two looks.
        keys: The descriptor of the terminal's input.
    """
    with _single_keys(keys), selectors.DefaultSelector() as selector:
        selector.register(keys, selectors.EVENT_READ)
        with Live(_picture(draw, top), console=console, screen=True, auto_refresh=False) as live:
            while True:
                live.update(_picture(draw, top), refresh=True)
                if not selector.select(every):
                    top.look()
                elif not all(map(top.press, _read(keys))):
                    return


def _picture(draw: Callable[[Table, int | None], RenderableType], top: Top) -> Group:
    # The lines that must not be missing come first: a low terminal cuts the end.
    said = Text(formatting.clean(top.asked or top.said), style='bold yellow' if top.asked else '')
    parts: list[RenderableType] = [Text(_HELP, style='bright_black'), said]
    for title, table in top.tables().items():
        chosen = title == top.part
        parts.append(Text(f'{"▸" if chosen else " "} {capfirst(title)}', style='bold' if chosen else 'bright_black'))
        parts.append(draw(table, top.row if chosen else None) if table.rows else Text('  none', style='bright_black'))
        parts.append(Text())
    return Group(*parts)


@contextmanager
def _single_keys(keys: int) -> Iterator[None]:
    """Have the terminal hand over each key at once, and not show it."""
    before = termios.tcgetattr(keys)
    tty.setcbreak(keys)
    try:
        yield
    finally:
        termios.tcsetattr(keys, termios.TCSADRAIN, before)


def _read(keys: int) -> list[str]:
    """Return the keys that were pressed. The end of the input is the key that quits."""
    data = os.read(keys, 64)
    if not data:
        return ['q']
    if data in _KEYS:
        return [_KEYS[data]]
    return [_KEYS.get(bytes([byte]), chr(byte)) for byte in data if byte != 0x1B]

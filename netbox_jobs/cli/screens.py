"""The choice between plain text and a terminal with colors."""

from django.core.management.base import OutputWrapper

from .screen import Screen


def choose(out: OutputWrapper, err: OutputWrapper, *, no_color: bool, color: bool) -> Screen:
    """Choose colors, tables and bars on a terminal where `rich` is installed, and plain text elsewhere.

    Args:
        out: Standard output.
        err: Standard error.
        no_color: Whether `--no-color` was given: the same without colors.
        color: Whether `--force-color` was given: the same without a terminal.
    """
    out.ending = ''
    if out.isatty() or color:
        try:
            # Inside, because `rich` is optional.
            from .rich_screen import RichScreen
        except ImportError:
            pass
        else:
            return RichScreen(out, err, color=not no_color)
    return Screen(out, err)

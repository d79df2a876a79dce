"""Which screen a command gets."""

from django.core.management.base import OutputWrapper

from .screen import Screen


def choose(out: OutputWrapper, err: OutputWrapper, *, no_color: bool, color: bool) -> Screen:
    """Colours, tables and bars on a terminal where `rich` is installed; else plain text.

    Args:
        out: Standard output.
        err: Standard error.
        no_color: Whether `--no-color` was given: the same without colours.
        color: Whether `--force-color` was given: the same where there is no terminal.
    """
    out.ending = ''
    if out.isatty() or color:
        try:
            from .rich_screen import RichScreen
        except ImportError:
            pass
        else:
            return RichScreen(out, err, color=not no_color)
    return Screen(out, err)

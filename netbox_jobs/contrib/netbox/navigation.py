"""Menus and template extensions: plugins declare them beside their jobs. They are accepted, and not shown."""

from collections.abc import Iterable
from typing import Any

__all__ = ('PluginMenu', 'PluginMenuButton', 'PluginMenuItem', 'PluginTemplateExtension')


class _Declaration:
    """Keeps what it was made with as attributes."""

    parameters: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if len(args) > len(self.parameters):
            raise TypeError(f'{type(self).__name__} takes {", ".join(self.parameters)}; {len(args)} were given.')
        vars(self).update(
            {**dict.fromkeys(self.parameters), **dict(zip(self.parameters, args, strict=False)), **kwargs}
        )


class PluginMenu(_Declaration):
    """A menu of a plugin's own."""

    parameters = ('label', 'groups', 'icon_class')


class PluginMenuItem(_Declaration):
    """An item of a menu."""

    parameters = ('link', 'link_text', 'auth_required', 'staff_only', 'permissions', 'buttons')


class PluginMenuButton(_Declaration):
    """A button beside an item of a menu."""

    parameters = ('link', 'title', 'icon_class', 'color', 'permissions')


class PluginTemplateExtension:
    """What a plugin adds to pages of NetBox. No page asks for it here."""

    models: Iterable[str] | None = None

    def __init__(self, context: dict[str, Any]) -> None:
        self.context = context

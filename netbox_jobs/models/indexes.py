"""Indexes that leave out the rows which have nothing to be found by."""

from typing import Any

from django.db.models import Index, Q


class PartialIndex(Index):
    """An index of some rows on PostgreSQL, which proves that a query asks for no others; elsewhere, of all.

    MariaDB has no such indexes, and with Django's own condition it would have none at all. SQLite does not see that a
    parameter that equals something is no empty string.
    """

    def __init__(self, *, where: Q, **kwargs: Any) -> None:
        """Args:
        where: Which rows it has.
        **kwargs: As for `Index`.
        """
        super().__init__(**kwargs)
        self.where = where

    def create_sql(self, model: Any, schema_editor: Any, using: str = '', **kwargs: Any) -> Any:
        """The statement that creates it."""
        _path, _args, own = super().deconstruct()
        if schema_editor.connection.vendor == 'postgresql':
            own['condition'] = self.where
        return Index(**own).create_sql(model, schema_editor, using, **kwargs)

    def deconstruct(self) -> Any:
        """For migrations."""
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, 'where': self.where}

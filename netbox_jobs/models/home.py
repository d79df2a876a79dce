"""`AtHome`: rows that are decided about, and so belong to the database that they are written to."""

from collections.abc import Collection
from typing import Any, Self

from django.db import models, router

from ..core.home import home_of


class AtHome(models.Model):
    """A row that was read from a replica is read anew, locked and changed on the primary: a replica may be behind."""

    class Meta:
        abstract = True

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **kwargs: Any) -> Self:
        """Have the object belong to the primary, whichever database this row of it was read from."""
        found = super().from_db(db, field_names, values, **kwargs)
        if router.routers:
            found._state.db = home_of(found)
        return found

    def refresh_from_db(self, using: str | None = None, *args: Any, **kwargs: Any) -> None:
        """Load the row again; from the primary, if no other database is named."""
        super().refresh_from_db(using or self._state.db, *args, **kwargs)

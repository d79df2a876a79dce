"""Where a row lives: the database that it is written to, whichever replica it was read from."""

from django.db import router
from django.db.models import Model


def home_of(instance: Model) -> str:
    """Return the alias of the database that an object is written to, as the project's routers say.

    Without a router, that is where it was read from.
    """
    return router.db_for_write(type(instance), instance=instance)

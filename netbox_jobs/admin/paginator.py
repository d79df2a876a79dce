"""A paginator that counts as far as somebody turns pages, and no further."""

from typing import Any

from django.core.paginator import Paginator
from django.utils.functional import cached_property

#: So many rows are counted; whoever looks for older ones narrows the list.
LIMIT = 5_000


class BoundedPaginator(Paginator):
    """Counts up to `LIMIT` rows. What lies beyond is reached by the filters, and by the dates above all."""

    @cached_property
    def counted(self) -> int:
        """The number of rows, or `LIMIT` + 1 if there are more."""
        rows: Any = self.object_list
        return int(rows.order_by().values('pk')[: LIMIT + 1].count())

    @cached_property
    def count(self) -> int:
        """The number of rows that can be paged through."""
        return min(self.counted, LIMIT)

    @property
    def capped(self) -> bool:
        """Whether there are more."""
        return self.counted > LIMIT

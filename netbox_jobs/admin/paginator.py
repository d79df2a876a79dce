"""A paginator that counts up to a limit."""

from typing import Any

from django.core.paginator import Paginator
from django.utils.functional import cached_property

#: How many rows are counted; filters lead to older ones.
LIMIT = 5_000


class BoundedPaginator(Paginator):
    """Count up to `LIMIT` rows. The filters, above all the dates, lead to the rows beyond."""

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

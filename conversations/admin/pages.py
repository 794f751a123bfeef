from typing import Any

from django.core.paginator import Paginator
from django.utils.functional import cached_property

MOST = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # not subscriptable when it runs
    """Counts no further than 10,000 rows: to count a million costs more than the page, and nobody turns so many pages.
    What lies beyond is found by the filters and the search.
    """

    more = False

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        counted: int = rows.order_by()[: MOST + 1].count()
        self.more = counted > MOST
        return min(counted, MOST)

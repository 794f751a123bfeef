from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from conversations.models import AccessRecord
from conversations.selectors import cursors

PAGE = 50


@dataclass(frozen=True, kw_only=True)
class AccessPage:
    records: list[AccessRecord]
    next: str | None


def access_page(*, owner_id: UUID, cursor: str | None, size: int = PAGE) -> AccessPage:
    """Who of the staff opened this user's transcripts, the latest first. One query."""
    records = AccessRecord.objects.filter(owner_id=owner_id)
    if cursor:
        moment, last = cursors.decode_moment(cursor)
        records = records.filter(Q(at__lt=moment) | Q(at=moment, pk__lt=last))
    rows = list(records.order_by("-at", "-id")[: size + 1])
    shown = rows[:size]
    more = cursors.encode_moment(shown[-1].at, shown[-1].pk) if len(rows) > size else None
    return AccessPage(records=shown, next=more)

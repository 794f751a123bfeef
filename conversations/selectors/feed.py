from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from conversations.models import FeedEvent, FeedHead
from streaming.protocol.codec import Entry


@dataclass(frozen=True, kw_only=True)
class FeedPiece:
    """``head`` is the feed's last number; what of the piece is not in ``entries`` has been pruned or did not fit."""

    head: int
    entries: list[Entry]


def feed_cursor(user_id: UUID) -> int:
    """The number of the user's last feed event. Read it before the list that is to be kept up from it."""
    return FeedHead.objects.filter(pk=user_id).values_list("number", flat=True).first() or 0


def feed_after(*, user_id: UUID, after: int, most: int, most_bytes: int) -> FeedPiece:
    """Events after ``after`` in order, at most ``most`` and about ``most_bytes``, but always one if there is one."""
    # The head first: every event up to it is committed, so that what is missing below has been pruned.
    head = feed_cursor(user_id)
    rows = FeedEvent.objects.filter(user_id=user_id, number__gt=after).order_by("number")
    entries: list[Entry] = []
    size = 0
    for number, text in rows.values_list("number", "text")[:most].iterator(chunk_size=64):
        size += len(text)
        if entries and size > most_bytes:
            break
        entries.append(Entry(number, text))
    return FeedPiece(head=head, entries=entries)


def feed_heads(user_ids: Collection[UUID]) -> dict[UUID, int]:
    return dict(FeedHead.objects.filter(pk__in=user_ids).values_list("pk", "number"))


def feed_news(heads: Mapping[UUID, int], *, most: int) -> dict[UUID, list[Entry]]:
    """What each of these feeds has beyond the number given, at most ``most`` of each. One query."""
    beyond = Q()
    for user_id, head in heads.items():
        beyond |= Q(user_id=user_id, number__gt=head, number__lte=head + most)
    news: dict[UUID, list[Entry]] = {}
    rows = FeedEvent.objects.filter(beyond).order_by("user_id", "number") if heads else FeedEvent.objects.none()
    for user_id, number, text in rows.values_list("user_id", "number", "text"):
        news.setdefault(user_id, []).append(Entry(number, text))
    return news

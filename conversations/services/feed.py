"""The user's feed: one numbered stream for everything that is not tokens."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from conversations import selectors, wire
from conversations.database import verb
from conversations.models import FeedEvent, FeedHead, Thread
from conversations.ports import ports
from streaming.protocol.codec import Entry
from streaming.protocol.feed import encode_feed

KEPT = timedelta(hours=24)


def record(user_id: UUID, event: str, data: dict[str, Any]) -> int:
    """Write the next event of the user's feed and return its number. Call it as the last act of a transaction: the
    number's row stays locked until its end, so that numbers become visible in their order.
    """
    if not FeedHead.objects.filter(pk=user_id).update(number=F("number") + 1):
        FeedHead.objects.bulk_create([FeedHead(user_id=user_id)], ignore_conflicts=True)
        FeedHead.objects.filter(pk=user_id).update(number=F("number") + 1)
    number = FeedHead.objects.values_list("number", flat=True).get(pk=user_id)
    text = encode_feed(event, number, data)
    FeedEvent.objects.bulk_create([FeedEvent(user_id=user_id, number=number, text=text)])
    transaction.on_commit(lambda: ports.feed_bell(user_id, [Entry(number, text)]))
    return number


def announce(event: str, thread: Thread) -> None:
    """Tell the feed of the thread's owner how the thread is now."""
    runs = selectors.under_way([thread.pk])[thread.pk]
    record(thread.owner_id, event, {"thread": wire.plain(wire.thread_object(thread, runs))})


@verb
def prune(*, most: int) -> int:
    """Remove about ``most`` of the events older than a day; returns how many went.

    What is left of a feed has no hole, whatever the clocks of those who wrote it said.
    """
    limit = timezone.now() - KEPT
    old = FeedEvent.objects.filter(created_at__lt=limit).order_by("created_at", "user_id", "number")
    last: dict[UUID, int] = {}
    for user_id, number in old.values_list("user_id", "number")[:most]:
        last[user_id] = max(number, last.get(user_id, 0))
    # A range a user: thousands of keys in one statement are more than SQLite's parser takes.
    return sum(
        FeedEvent.objects.filter(user_id=user_id, number__lte=number).delete()[0] for user_id, number in last.items()
    )

"""The user's feed: one numbered stream for everything that is not tokens."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from chatserver.rows import stored_id
from conversations import selectors, wire
from conversations.database import verb
from conversations.models import FeedEvent, Thread
from conversations.ports import ports
from conversations.selectors import UnderWay
from streaming.protocol.codec import Entry
from streaming.protocol.feed import encode_feed

KEPT = timedelta(hours=24)


# One statement for a head that is there and one that is not, as both databases have it.
_NEXT_NUMBERS = """
INSERT INTO conversations_feedhead (user_id, number) VALUES (%s, %s)
ON CONFLICT (user_id) DO UPDATE SET number = conversations_feedhead.number + excluded.number RETURNING number
"""
_ADD, _ONE = "INSERT INTO conversations_feedevent (user_id, number, text, created_at) VALUES ", "(%s, %s, %s, %s)"
Told = tuple[str, dict[str, Any]]  # an event of the feed and its data


def record(user_id: UUID, event: str, data: dict[str, Any]) -> int:
    """Write the next event of the user's feed and return its number. Call it as the last act of a transaction: the
    number's row stays locked until its end, so that numbers become visible in their order.
    """
    return record_all(user_id, [(event, data)])


def record_all(user_id: UUID, told: Sequence[Told]) -> int:
    """The same for several events, in this order; returns the number of the last one. Two queries."""
    user, now = stored_id(user_id), connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_NUMBERS, [user, len(told)])
        (last,) = cursor.fetchone()
        first = last - len(told) + 1
        entries = [Entry(number, encode_feed(name, number, data)) for number, (name, data) in enumerate(told, first)]
        values = [value for entry in entries for value in (user, entry.id, entry.text, now)]
        cursor.execute(_ADD + ", ".join([_ONE] * len(entries)), values)
    transaction.on_commit(lambda: ports.feed_bell(user_id, entries))
    return int(last)


def announce(event: str, thread: Thread) -> None:
    """Tell the feed of the thread's owner how the thread is now."""
    runs = selectors.under_way([thread.pk])[thread.pk]
    record(thread.owner_id, *announced(event, thread, runs))


def announced(event: str, thread: Thread, runs: UnderWay) -> Told:
    """The event that tells how the thread is, with what is under way in it."""
    return event, {"thread": wire.plain(wire.thread_object(thread, runs))}


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

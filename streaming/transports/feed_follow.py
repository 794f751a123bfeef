"""Following a user's feed from a cursor: the loop that both transports stand on."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from itertools import count, takewhile
from uuid import UUID

from conversations.selectors import FeedPiece
from streaming.eventlog.feed_tailer import FeedTailer
from streaming.protocol.codec import Entry
from streaming.protocol.feed import reset
from streaming.transports.live import Live


async def follow_feed(
    *, feeds: FeedTailer, user_id: UUID, after: int, heartbeat: float, live: Live
) -> AsyncGenerator[list[Entry], None]:
    """Yield what comes after number ``after``, in order and without a hole, until ``live`` is told to end; after
    ``heartbeat`` seconds of silence an empty list.

    Where the feed cannot go on from the cursor, one ``feed.reset`` says so and from where it goes on. Reads at most 256
    events / 256 KiB at a time; asks for more only when the caller does.
    """
    cursor, begun = after, False
    with feeds.subscribe(user_id) as subscription, live.waking(subscription.wake):
        while live.may_deliver:
            entries = subscription.recent(cursor) if begun else None
            if entries is None:
                entries = continued(await feeds.read(user_id, cursor), cursor)
                begun = True
            if live.ending not in (None, "restart"):
                return  # it ended while we read
            if entries:
                cursor = entries[-1].id
                yield entries
                continue
            if live.ending is not None:
                return  # a restart takes nothing away: what there was has been given
            try:
                async with asyncio.timeout(heartbeat):
                    await subscription.something_new()
            except TimeoutError:
                yield []


def continued(piece: FeedPiece, cursor: int) -> list[Entry]:
    """What a reader at ``cursor`` is given of a piece that was read there: all without a gap, or a reset."""
    if cursor > piece.head:
        return [Entry(piece.head, reset(head=piece.head, reason="cursor_ahead"))]
    entries = _without_gap(piece.entries, cursor)
    if not entries and piece.head > cursor:
        return [Entry(piece.head, reset(head=piece.head, reason="feed_pruned"))]
    return entries


def _without_gap(entries: Sequence[Entry], cursor: int) -> list[Entry]:
    pairs = zip(entries, count(cursor + 1), strict=False)
    return [entry for entry, _ in takewhile(lambda pair: pair[0].id == pair[1], pairs)]

"""What this process knows of the feeds that somebody follows on it: a ring each, filled by verbs that ring, by a look
at the rows when another process rings, and by one poll a second for what was missed.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import UUID

import structlog

from conversations import selectors
from conversations.selectors import FeedPiece
from streaming.eventlog.base import ASKED_AT_ONCE, READ_BYTES, READ_EVENTS
from streaming.eventlog.ring import Ring
from streaming.eventlog.rounds import Rounds
from streaming.offload import Offload
from streaming.protocol.codec import Entry

log = structlog.get_logger(__name__)


class FeedSubscription:
    """One reader of one feed. It pulls; nobody ever waits for it."""

    def __init__(self, channel: "_Channel") -> None:
        self._channel = channel
        self._wake = asyncio.Event()

    def wake(self) -> None:
        self._wake.set()

    def recent(self, cursor: int) -> list[Entry] | None:
        """What follows ``cursor`` as far as the ring has it; None where the database must be asked."""
        if cursor >= self._channel.known:
            return []
        return self._channel.ring.after(cursor, most=READ_EVENTS, most_bytes=READ_BYTES)

    async def something_new(self) -> None:
        """Return when the feed has something that was not there at the last return."""
        await self._wake.wait()
        self._wake.clear()


class _Channel:
    def __init__(self) -> None:
        self.ring = Ring(most=READ_EVENTS, most_bytes=READ_BYTES)
        self.subscriptions: set[FeedSubscription] = set()
        self.known = -1  # the furthest number that anybody here has heard of; -1: nobody has asked yet
        self.told = -1  # the furthest that another process says there is


class FeedTailer:
    def __init__(self, *, offload: Offload, interval: float = 1.0) -> None:
        self._offload = offload
        self._channels: dict[UUID, _Channel] = {}
        self._rounds = Rounds[UUID](interval=interval)

    @contextmanager
    def subscribe(self, user_id: UUID) -> Iterator[FeedSubscription]:
        """A reader of the feed. It begins by reading the database once, with ``read``."""
        channel = self._channels.setdefault(user_id, _Channel())
        subscription = FeedSubscription(channel)
        channel.subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            channel.subscriptions.discard(subscription)
            if not channel.subscriptions:
                self._channels.pop(user_id, None)
                self._rounds.forget(user_id)

    def rung(self, numbers: Mapping[UUID, int]) -> None:
        """Other processes have written up to these numbers: look at once, instead of at the next poll."""
        for user_id, number in numbers.items():
            if (channel := self._channels.get(user_id)) is not None:
                channel.told = max(channel.told, number)
                self._look_soon(user_id, channel)

    def _look_soon(self, user_id: UUID, channel: _Channel) -> None:
        # What nobody here has read yet is left to its reader, who is about to.
        if channel.told > channel.known >= 0:
            self._rounds.ring(user_id)

    def published(self, user_id: UUID, entries: Sequence[Entry]) -> None:
        """Take what has been committed and wake its readers. Commits of two verbs may be heard of in either order: the
        ring begins anew after a gap, and what it has not is read from the database.
        """
        channel = self._channels.get(user_id)
        if channel is None or not entries:
            return
        channel.known = max(channel.known, entries[-1].id)
        if channel.ring.extend(entries):
            for subscription in channel.subscriptions:
                subscription.wake()

    async def read(self, user_id: UUID, after: int) -> FeedPiece:
        """At most 256 events / 256 KiB after ``after``, from the database."""
        piece = await self._offload(
            selectors.feed_after, user_id=user_id, after=after, most=READ_EVENTS, most_bytes=READ_BYTES
        )
        channel = self._channels.get(user_id)
        if channel is not None and piece.head > channel.known:
            channel.known = piece.head
            # The poll asks only for what is beyond that: readers who wait would not hear of what this one has found.
            for subscription in channel.subscriptions:
                subscription.wake()
            self._look_soon(user_id, channel)
        return piece

    async def poll_for_ever(self) -> None:
        """Once a second one question for all feeds that are followed here; between that, one for those that rang."""
        while True:
            rang = await self._rounds.turn()
            await self._look(
                {user_id: self._channels[user_id].known for user_id in (self._channels if rang is None else rang)}
            )

    async def _look(self, known: dict[UUID, int]) -> None:
        if not known:
            return
        try:
            news = await self._offload(_news, known)
        except Exception as fault:  # a database away for a while must not end the poll
            log.warning("the poll for the feeds failed", fault=type(fault).__name__)
            return
        for user_id, entries in news.items():
            self.published(user_id, entries)
            if (channel := self._channels.get(user_id)) is not None:
                self._look_soon(user_id, channel)  # a piece of it came; there may be more


def _news(known: Mapping[UUID, int]) -> dict[UUID, list[Entry]]:
    heads = selectors.feed_heads(known.keys())
    # A feed that nobody here has read yet is left to its reader, who is about to.
    moved = [(user_id, known[user_id]) for user_id, head in heads.items() if head > known[user_id] >= 0]
    news: dict[UUID, list[Entry]] = {}
    for begin in range(0, len(moved), ASKED_AT_ONCE):
        news |= selectors.feed_news(dict(moved[begin : begin + ASKED_AT_ONCE]), most=READ_EVENTS)
    return news

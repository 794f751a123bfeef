"""What this process knows of the runs that somebody follows on it: a ring each, filled by the process's own writer, by
verbs that ring, by a look at the log when another process rings, and by one poll a second for what was missed.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import UUID

import structlog

from streaming.eventlog.base import READ_BYTES, READ_EVENTS, EventLog, Extent, LogLost
from streaming.eventlog.ring import Ring
from streaming.eventlog.rounds import Rounds
from streaming.protocol.codec import Entry
from streaming.protocol.marks import is_terminal

log = structlog.get_logger(__name__)
HINTS_KEPT = 8
# Whoever asks a question follows its answer at once: so long, in seconds, a run that begins here is kept for them.
AWAITED = 5.0
AWAITED_AT_ONCE = 1000


class Subscription:
    """One reader of one run. It pulls; nobody ever waits for it."""

    def __init__(self, channel: "_Channel") -> None:
        self._channel = channel
        self._woken = False
        self._waiting: asyncio.Future[None] | None = None
        self._hints: deque[str] = deque(maxlen=HINTS_KEPT)

    def wake(self) -> None:
        self._woken = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def take_hints(self) -> list[str]:
        """Hints since the last time; a reader that is slow to ask loses the oldest."""
        if not self._hints:
            return []
        hints = list(self._hints)
        self._hints.clear()
        return hints

    def add_hint(self, text: str) -> None:
        self._hints.append(text)
        self.wake()

    def has_more(self, cursor: int) -> bool:
        """Whether a reader who has come to ``cursor`` finds something without waiting for it."""
        return cursor < self._channel.head or bool(self._hints)

    def recent(self, cursor: int) -> list[Entry] | None:
        """What follows ``cursor`` as far as the ring has it; None where the log must be asked.

        Raises LogLost where the run has been removed: nothing will ever follow.
        """
        if self._channel.gone:
            raise LogLost()
        self._channel.reached(cursor)
        entries = self._channel.ring.after(cursor, most=READ_EVENTS, most_bytes=READ_BYTES)
        return entries if entries or cursor >= self._channel.known else None

    async def something_new(self) -> None:
        """Return when the run has something that was not there at the last return."""
        if not self._woken:
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        self._woken = False


class _Channel:
    def __init__(self) -> None:
        self.ring = Ring()
        self.subscriptions: set[Subscription] = set()
        self.last_hint: str | None = None
        self.gone = False
        self.known = 0  # the furthest that a reader here has come, be it by reading the log itself
        self.told = 0  # the furthest that another process says there is

    @property
    def head(self) -> int:
        return max(self.known, self.ring.head or 0)

    def reached(self, id: int) -> None:
        """A reader here has come so far. The poll asks only for what is beyond that, so those who wait further back are
        woken now: what they were not told of, they must read for themselves.
        """
        if id > self.known and id > self.head:
            self.known = id
            for subscription in self.subscriptions:
                subscription.wake()


class Tailer:
    def __init__(self, *, event_log: EventLog, interval: float = 1.0) -> None:
        self._log = event_log
        self._channels: dict[UUID, _Channel] = {}
        self._awaited: deque[tuple[float, UUID]] = deque()  # until when, in order
        self._rounds = Rounds[UUID](interval=interval)
        self.followed_anew = asyncio.Event()  # somebody begins to follow a run that nobody did here

    @property
    def followed(self) -> set[UUID]:
        """The runs that somebody reads here."""
        return {run_id for run_id, channel in self._channels.items() if channel.subscriptions}

    @contextmanager
    def subscribe(self, run_id: UUID) -> Iterator[Subscription]:
        channel = self._channels.setdefault(run_id, _Channel())
        if not channel.subscriptions:
            self.followed_anew.set()
        subscription = Subscription(channel)
        if channel.last_hint is not None:
            subscription.add_hint(channel.last_hint)
        channel.subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            channel.subscriptions.discard(subscription)
            self._forget(run_id)

    def rung(self, heads: Mapping[UUID, int]) -> None:
        """Other processes have written up to these numbers: look at once, instead of at the next poll."""
        for run_id, head in heads.items():
            if (channel := self._channels.get(run_id)) is not None:
                channel.told = max(channel.told, head)
                self._look_soon(run_id, channel)

    def _look_soon(self, run_id: UUID, channel: _Channel) -> None:
        # What nobody here has read yet is left to its reader, who is about to.
        if channel.told > channel.head > 0:
            self._rounds.ring(run_id)

    def published(self, run_id: UUID, entries: Sequence[Entry]) -> None:
        """Take what has become durable and wake its readers."""
        channel = self._channels.get(run_id)
        if channel is None and entries and entries[0].id == 1:
            channel = self._await(run_id)
        if channel is None:
            return
        channel.last_hint = None  # whatever the run waited for has come
        if not channel.subscriptions and entries and is_terminal(entries[-1]):
            self._forget(run_id)  # who comes now comes late
            return
        if channel.ring.extend(entries):
            for subscription in channel.subscriptions:
                subscription.wake()

    def _await(self, run_id: UUID) -> _Channel:
        """Keep a run that has just begun for its first reader, who then need not ask the log."""
        if len(self._awaited) >= AWAITED_AT_ONCE:
            self._forget(self._awaited.popleft()[1])
        self._awaited.append((time.monotonic() + AWAITED, run_id))
        return self._channels.setdefault(run_id, _Channel())

    def await_no_longer(self) -> None:
        """Forget those for whom nobody has come in time."""
        while self._awaited and self._awaited[0][0] < time.monotonic():
            self._forget(self._awaited.popleft()[1])

    def _forget(self, run_id: UUID) -> None:
        """Nobody reads it here any more, or nobody has come."""
        channel = self._channels.get(run_id)
        if channel is not None and not channel.subscriptions:
            del self._channels[run_id]
            self._rounds.forget(run_id)

    def _removed(self, run_id: UUID) -> None:
        channel = self._channels.get(run_id)
        if channel is not None:
            channel.gone = True
            for subscription in channel.subscriptions:
                subscription.wake()

    def hint(self, run_id: UUID, text: str) -> None:
        """Tell the readers of this process something that may be lost."""
        channel = self._channels.get(run_id)
        if channel is None:
            return
        channel.last_hint = text
        for subscription in channel.subscriptions:
            subscription.add_hint(text)

    def last_hint(self, run_id: UUID) -> str | None:
        """What the readers of a run were told last, since its last event."""
        channel = self._channels.get(run_id)
        return None if channel is None else channel.last_hint

    def head(self, run_id: UUID) -> int:
        """The last event of a run as far as this process knows; 0 where nobody follows it here."""
        channel = self._channels.get(run_id)
        return 0 if channel is None else channel.head

    def at_hand(self, run_id: UUID, after: int) -> Extent | None:
        """How far a run has come of which everything after ``after`` is at hand here; None where the log must be
        asked. The log may reach further back.
        """
        channel = self._channels.get(run_id)
        if channel is None or channel.gone:
            return None
        first, head = channel.ring.first, channel.ring.head
        if first is None or head is None or not first - 1 <= after <= head == channel.head:
            return None
        return Extent(first=first, head=head, backlog_bytes=channel.ring.size_after(after) if after else 0)

    async def read(self, run_id: UUID, after: int) -> list[Entry]:
        entries = await self._log.read(run_id=run_id, after=after)
        channel = self._channels.get(run_id)
        if channel is not None and entries:
            channel.reached(entries[-1].id)
            self._look_soon(run_id, channel)
        return entries

    async def poll_for_ever(self) -> None:
        """Once a second one question for all runs that are followed here; between that, one for those that rang."""
        while True:
            rang = await self._rounds.turn()
            self.await_no_longer()
            await self._look(
                {run_id: self._channels[run_id].head for run_id in (self.followed if rang is None else rang)}
            )

    async def _look(self, heads: dict[UUID, int]) -> None:
        if not heads:
            return
        try:
            news, removed = await self._log.news(heads)
        except Exception as fault:  # a storage away for a while must not end the poll
            log.warning("the poll for events failed", fault=type(fault).__name__)
            return
        for run_id, entries in news.items():
            self.published(run_id, entries)
            if (channel := self._channels.get(run_id)) is not None:
                self._look_soon(run_id, channel)  # a piece of it came; there may be more
        for run_id in removed:
            self._removed(run_id)

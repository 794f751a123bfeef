"""What this process knows of the runs that somebody follows on it: a ring each, filled by the process's own writer, by
verbs that ring, and by one poll a second for whatever came from elsewhere or was missed.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

import structlog
from django.db.models import Q

from conversations.models import RunEvent, RunLease
from streaming.eventlog.base import ASKED_AT_ONCE, READ_BYTES, READ_EVENTS, EventLog, LogLost
from streaming.eventlog.ring import Ring
from streaming.offload import Offload
from streaming.protocol.codec import Entry

log = structlog.get_logger(__name__)
HINTS_KEPT = 8


class Subscription:
    """One reader of one run. It pulls; nobody ever waits for it."""

    def __init__(self, channel: "_Channel") -> None:
        self._channel = channel
        self._wake = asyncio.Event()
        self._hints: deque[str] = deque(maxlen=HINTS_KEPT)

    def wake(self) -> None:
        self._wake.set()

    def take_hints(self) -> list[str]:
        """Hints since the last time; a reader that is slow to ask loses the oldest."""
        hints = list(self._hints)
        self._hints.clear()
        return hints

    def add_hint(self, text: str) -> None:
        self._hints.append(text)
        self._wake.set()

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
        await self._wake.wait()
        self._wake.clear()


class _Channel:
    def __init__(self) -> None:
        self.ring = Ring()
        self.subscriptions: set[Subscription] = set()
        self.last_hint: str | None = None
        self.gone = False
        self.known = 0  # the furthest that a reader here has come, be it by reading the log itself

    @property
    def head(self) -> int:
        return max(self.known, self.ring.head or 0)

    def reached(self, id: int) -> None:
        """A reader here has come so far. The poll asks only for what is beyond that, so those who wait further back are
        woken now: what they were not told of, they must read for themselves.
        """
        if id > self.head:
            self.known = id
            for subscription in self.subscriptions:
                subscription.wake()


class Tailer:
    def __init__(self, *, event_log: EventLog, offload: Offload, interval: float = 1.0) -> None:
        self._log = event_log
        self._offload = offload
        self._interval = interval
        self._channels: dict[UUID, _Channel] = {}

    @contextmanager
    def subscribe(self, run_id: UUID) -> Iterator[Subscription]:
        channel = self._channels.setdefault(run_id, _Channel())
        subscription = Subscription(channel)
        if channel.last_hint is not None:
            subscription.add_hint(channel.last_hint)
        channel.subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            channel.subscriptions.discard(subscription)
            if not channel.subscriptions:
                self._channels.pop(run_id, None)

    def published(self, run_id: UUID, entries: Sequence[Entry]) -> None:
        """Take what has become durable and wake its readers."""
        channel = self._channels.get(run_id)
        if channel is None:
            return
        channel.last_hint = None  # whatever the run waited for has come
        if channel.ring.extend(entries):
            for subscription in channel.subscriptions:
                subscription.wake()

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

    def head(self, run_id: UUID) -> int:
        """The last event of a run as far as this process knows; 0 where nobody follows it here."""
        channel = self._channels.get(run_id)
        return 0 if channel is None else channel.head

    async def read(self, run_id: UUID, after: int) -> list[Entry]:
        entries = await self._log.read(run_id=run_id, after=after)
        channel = self._channels.get(run_id)
        if channel is not None and entries:
            channel.reached(entries[-1].id)
        return entries

    async def poll_for_ever(self) -> None:
        """Once a second, one question for all runs that are followed here."""
        while True:
            await asyncio.sleep(self._interval)
            heads = {run_id: channel.head for run_id, channel in self._channels.items()}
            if not heads:
                continue
            try:
                news, removed = await self._offload(_news, heads)
            except Exception as fault:  # a database away for a while must not end the poll
                log.warning("the poll for events failed", fault=type(fault).__name__)
                continue
            for run_id, entries in news.items():
                self.published(run_id, entries)
            for run_id in removed:
                self._removed(run_id)


def _news(heads: dict[UUID, int]) -> tuple[dict[UUID, list[Entry]], set[UUID]]:
    """What the log has beyond ``heads``, for the runs where it has more, a bounded piece of each; and the runs that are
    there no more.
    """
    now = dict(RunLease.objects.filter(pk__in=heads).values_list("pk", "head"))
    removed = heads.keys() - now.keys()
    moved = [(run_id, heads[run_id]) for run_id, head in now.items() if head > heads[run_id] > 0]
    news: dict[UUID, list[Entry]] = {}
    for begin in range(0, len(moved), ASKED_AT_ONCE):
        beyond = Q()
        for run_id, head in moved[begin : begin + ASKED_AT_ONCE]:
            beyond |= Q(run_id=run_id, seq__gt=head, seq__lte=head + READ_EVENTS)
        events = RunEvent.objects.filter(beyond).order_by("run_id", "seq")
        for run_id, seq, text in events.values_list("run_id", "seq", "text"):
            news.setdefault(run_id, []).append(Entry(seq, text))
    return news, removed

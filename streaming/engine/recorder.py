"""The single writer of one run: joins its deltas, numbers and encodes its events, hands them to the log."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from uuid import UUID

from conversations.services.run_lease import Claim
from streaming.eventlog.base import EventLog
from streaming.eventlog.coalesce import Coalescer
from streaming.protocol.codec import Entry, encode
from streaming.protocol.events import HINTS, Event, MessageDelta, StepInProgress

_STREAMING = (MessageDelta, StepInProgress)


class Recorder:
    """``head`` is the number of the last event given out. ``failed`` is called once, when the log turns events away.

    Deltas are written behind the caller's back, up to ``max_pending`` characters; every other event is durable when
    ``record`` returns, so that whatever its maker does next, it does after that.
    """

    def __init__(
        self,
        *,
        claim: Claim,
        head: int,
        event_log: EventLog,
        hint: Callable[[UUID, str], None],
        failed: Callable[[BaseException], None],
        interval: float,
        limit: int,
        max_pending: int = 256 * 1024,
    ) -> None:
        self.head = head
        self._claim = claim
        self._log = event_log
        self._hint = hint
        self._failed = failed
        self._coalescer = Coalescer(interval=interval, limit=limit)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._last: asyncio.Future[None] | None = None
        self._pending = 0
        self._max_pending = max_pending
        self._failure: BaseException | None = None

    async def record(self, events: Iterable[Event]) -> None:
        """Raises what the log raised (Fenced, StorageBusy, StorageFull); nothing may be recorded after that."""
        ready: list[Event] = []
        settle = False
        for event in events:
            if event.name in HINTS:
                self._hint(self._claim.run_id, encode(event, None))
                continue
            settle = settle or not isinstance(event, _STREAMING)
            ready += self._coalescer.add(event, self._loop.time())
        self._write(ready)
        if settle or self._pending > self._max_pending:
            await self.settle()
        else:
            self._arm()

    async def settle(self) -> None:
        """Return when everything recorded so far is durable."""
        self._write(self._coalescer.flush(self._loop.time()))
        self._disarm()
        if self._last is not None:
            # Not awaited itself: a cancelled maker must not take the log's own future with it, and what is raised is
            # the first failure. The batches after one that storage turned away are fenced out, which says nothing.
            await asyncio.wait({self._last})
        self._check()

    def close(self) -> None:
        self._disarm()

    def _write(self, events: Sequence[Event]) -> None:
        self._check()
        if not events:
            return
        entries, size = [], 0
        for event in events:
            self.head += 1
            text = encode(event, self.head)
            entries.append(Entry(self.head, text))
            size += len(text)
        self._pending += size
        self._last = self._log.append(run_id=self._claim.run_id, number=self._claim.number, entries=entries)
        self._last.add_done_callback(partial(self._written, size))

    def _written(self, size: int, done: "asyncio.Future[None]") -> None:
        self._pending -= size
        if done.cancelled() or (fault := done.exception()) is None or self._failure is not None:
            return
        self._failure = fault
        self._disarm()
        self._failed(fault)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _arm(self) -> None:
        if self._timer is None and self._coalescer.deadline is not None:
            self._timer = self._loop.call_at(self._coalescer.deadline, self._due)

    def _due(self) -> None:
        self._timer = None
        deadline = self._coalescer.deadline
        if deadline is not None and self._loop.time() < deadline:
            self._arm()  # what this timer was for has gone out already with something else
        elif self._failure is None:
            self._write(self._coalescer.flush(self._loop.time()))

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

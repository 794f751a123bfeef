"""An event log at work, as the engine would use it, without the engine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from chatserver.accounts.models import User
from chatserver.accounts.principal import Principal
from conversations.ports import ports
from conversations.services.run_lease import Claim, claim_orphan, claim_run
from conversations.services.run_open import open_run
from conversations.services.run_rows import Choice
from streaming.eventlog.base import EventLog
from streaming.offload import Offload
from streaming.protocol.codec import Entry, encode
from streaming.protocol.commands import Send
from streaming.protocol.events import MessageDelta
from streaming.protocol.snapshot import RunState


@dataclass
class Bench:
    """A log at work, and what it has published so far."""

    log: EventLog
    offload: Offload
    published: list[tuple[UUID, int]] = field(default_factory=list)
    delayed: list[UUID] = field(default_factory=list)

    def take(self, run_id: UUID, entries: Sequence[Entry]) -> None:
        self.published += [(run_id, entry.id) for entry in entries]

    async def run(self, user: User, *, holder: str = "one") -> Claim:
        """An opened and claimed run: three events are in its log."""
        principal = Principal(user.pk, user.username, False, frozenset({"read", "chat", "manage"}), "session")
        opened = await self.offload(
            open_run,
            principal=principal,
            thread_id=None,
            command=Send(content="hello"),
            choose=lambda: [Choice(provider="demo", model="demo")],
        )
        await asyncio.sleep(0.02)  # the bell rings in the loop
        claim = await self.offload(claim_run, run_id=opened.run.pk, holder=holder, expiry=10)
        assert claim is not None
        return claim

    async def texts(self, run_id: UUID, after: int = 0) -> list[int]:
        return [entry.id for entry in await self.log.read(run_id=run_id, after=after)]

    async def append(self, claim: Claim, first: int, last: int, text: str = "x") -> None:
        await self.log.append(run_id=claim.run_id, number=claim.number, entries=deltas(first, last, text))

    async def taken_over(self, run_id: UUID, *, holder: str = "two") -> Claim:
        """By somebody who has not looked at the log yet."""
        claim = await self.offload(claim_orphan, run_id=run_id, holder=holder, expiry=10, all_others_dead=True)
        assert claim is not None
        return claim

    async def state(self, run_id: UUID) -> RunState:
        """What a reader sees who begins now."""
        state = RunState()
        while entries := await self.log.read(run_id=run_id, after=state.last):
            state.extend(entries)
        return state

    async def text(self, run_id: UUID) -> str:
        answer = (await self.state(run_id)).answer
        assert answer is not None
        return answer.text


@asynccontextmanager
async def at_work(make: Callable[[Offload], EventLog]) -> AsyncIterator[Bench]:
    """The verbs of this process write to the log that was begun last."""
    offload = Offload()
    bench = Bench(make(offload), offload)
    bench.log.start(lambda run_id, entries: bench.take(run_id, entries), delayed=bench.delayed.extend)
    loop = asyncio.get_running_loop()
    ports.connect(
        event_store=bench.log.event_store,
        bell=lambda run_id, entries: loop.call_soon_threadsafe(_rang, bench.log, run_id, entries) and None,
    )
    try:
        yield bench
    finally:
        ports.disconnect()
        await bench.log.stop()
        offload.stop()


def _rang(event_log: EventLog, run_id: UUID, entries: Sequence[Entry]) -> None:
    if entries:
        event_log.rang(run_id, entries)


def deltas(first: int, last: int, text: str = "x") -> list[Entry]:
    return [
        Entry(number, encode(MessageDelta(run_id="r", content=f"{text}{number}"), number))
        for number in range(first, last + 1)
    ]

"""An engine at work in the test's own loop, with a scripted model and a reader that writes everything down."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async

from chatserver.accounts.models import SCOPES, User
from chatserver.accounts.principal import Principal
from conversations.models import Approval, Message, Run, RunLease, Step
from conversations.selectors import open_approvals
from conversations.services.run_cancel import cancel_run
from conversations.services.run_lease import HELD, Hands
from conversations.services.run_open import Opened, open_run
from conversations.services.run_rows import Choice
from streaming.eventlog.base import EventLog, LogLost
from streaming.protocol.codec import Entry, decode
from streaming.protocol.commands import Decide, Send
from streaming.protocol.events import Event
from streaming.protocol.lifecycle import TERMINAL, RunStatus
from streaming.protocol.marks import is_parked, is_terminal
from streaming.protocol.snapshot import fold
from streaming.providers.scripted import ScriptedProvider, Turn
from streaming.tools.base import Tool
from streaming.tools.registry import BUILT_IN
from streaming.transports.approving import decide_for
from streaming.transports.follow import follow
from streaming.wiring import Engine

PATIENCE = 10.0


def principal_of(user: User) -> Principal:
    return Principal(user.pk, user.username, user.is_staff, frozenset(SCOPES), "session", session_key="s")


@dataclass
class Seen:
    """What one reader saw, in order."""

    entries: list[Entry] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)

    @property
    def events(self) -> list[Event]:
        events = [decode(entry.text)[1] for entry in self.entries]
        assert None not in events
        return [event for event in events if event is not None]

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]

    @property
    def text(self) -> str:
        return "".join(event.content for event in self.events if event.name == "thread.message.delta")  # type: ignore[attr-defined]


@dataclass
class EngineBench:
    engine: Engine
    provider: ScriptedProvider
    user: User

    async def send(
        self, content: str = "hello", *, thread_id: UUID | None = None, hands: Hands | None = None, **wishes: Any
    ) -> Run:
        """Open a run that waits to be claimed, or is taken by ``hands``. ``wishes`` are further fields of the send."""
        opened: Opened = await sync_to_async(open_run)(
            principal=principal_of(self.user),
            thread_id=thread_id,
            command=Send(content=content, **wishes),
            choose=lambda: [Choice(provider="scripted", model="model")],
            hands=hands,
        )
        return opened.run

    async def send_at_once(self, content: str = "hello", *, thread_id: UUID | None = None) -> Run:
        """Open a run that is worked on from there, as the transports do where there is room for it."""
        async with asyncio.timeout(PATIENCE):
            while True:
                with self.engine.places(1) as hands:
                    if hands is not None:
                        return await self.send(content, thread_id=thread_id, hands=hands)
                await asyncio.sleep(0.01)  # it has not yet looked who waits

    async def watch(self, run: Run, *, after: int = 0) -> Seen:
        """Read until the terminal event."""
        seen = Seen()
        async with asyncio.timeout(PATIENCE):
            async for news in follow(tailer=self.engine.tailer, run_id=run.pk, after=after, heartbeat=1.0):
                seen.entries += news.entries
                seen.hints += news.hints
        assert is_terminal(seen.entries[-1])
        return seen

    async def until(self, run: Run, name: str) -> None:
        """Return once an event of this name is in the log."""
        async with asyncio.timeout(PATIENCE):
            async for news in follow(tailer=self.engine.tailer, run_id=run.pk, after=0, heartbeat=1.0):
                if any(f'"event":"{name}"' in entry.text for entry in news.entries):
                    return

    async def cancel(self, run: Run) -> Run:
        return await sync_to_async(cancel_run)(run=run, by="user", reason="requested")

    async def parked(self, run: Run, *, times: int = 1) -> list[Approval]:
        """What the run asks, once it is parked for the ``times``th time and nobody holds it any more."""
        async with asyncio.timeout(PATIENCE):
            while True:
                entries = [entry for entry in (await self.stored(run)).entries if is_parked(entry)]
                if len(entries) >= times and run.pk not in self.engine.supervisor._workers:
                    return await sync_to_async(open_approvals)(run)
                await asyncio.sleep(0.02)

    async def decide(
        self, run: Run, approval: Approval, decision: str, *, note: str = "", arguments: dict[str, Any] | None = None
    ) -> Run:
        command = Decide(decision=decision, note=note, arguments=arguments)  # type: ignore[arg-type]
        return await decide_for(self.engine, principal_of(self.user), run.pk, approval.pk, command)

    async def die(self) -> None:
        """As kill -9 would have it: nothing is closed. And then time passes."""
        await self.engine.supervisor.stop()
        await self.engine.tasks.cancel_all()
        async with asyncio.timeout(PATIENCE):
            while len(self.engine.tasks):
                await asyncio.sleep(0.01)
        held = RunLease.objects.filter(run__status__in=HELD)
        await sync_to_async(held.update)(holder="dead", expires_at=None)

    async def stored(self, run: Run) -> "Stored":
        return await sync_to_async(Stored.of)(run.pk, await whole_log(self.engine.event_log, run.pk))


async def whole_log(event_log: EventLog, run_id: UUID) -> list[Entry]:
    """Nothing where the log has lost it."""
    entries: list[Entry] = []
    with suppress(LogLost):
        while piece := await event_log.read(run_id=run_id, after=entries[-1].id if entries else 0):
            entries += piece
    return entries


@dataclass
class Stored:
    """A run as its rows and its log have it."""

    run: Run
    question: Message
    answer: Message
    steps: list[Step]
    entries: list[Entry]
    lease: RunLease

    @classmethod
    def of(cls, run_id: UUID, entries: list[Entry]) -> "Stored":
        run = Run.objects.select_related("question", "answer").get(pk=run_id)
        assert run.question is not None
        assert run.answer is not None
        return cls(
            run=run,
            question=run.question,
            answer=run.answer,
            steps=list(Step.objects.filter(run_id=run_id).order_by("index")),
            entries=entries,
            lease=RunLease.objects.get(pk=run_id),
        )

    def agree(self) -> None:
        """Rows and log tell one story, it has one end, and nobody holds the run any more."""
        state = fold(self.entries)
        assert [entry.id for entry in self.entries] == list(range(1, len(self.entries) + 1))
        assert [is_terminal(entry) for entry in self.entries].count(True) == 1
        assert state.terminal
        assert RunStatus(self.run.status) in TERMINAL
        assert state.run is not None
        assert state.run.status == self.run.status
        assert state.answer is not None
        assert (state.answer.content, state.answer.status) == (self.answer.content, self.answer.status)
        assert state.answer.thinking == self.answer.thinking
        assert [step.id for step in state.steps] == [str(step.id) for step in self.steps]
        assert [step.status for step in state.steps] == [step.status for step in self.steps]
        assert self.run.head == self.lease.head == len(self.entries)
        assert self.lease.holder == ""


@asynccontextmanager
async def running(user: User, turns: Sequence[Turn], *, tools: Sequence[Tool] = BUILT_IN) -> AsyncIterator[EngineBench]:
    """An engine whose one model plays ``turns``."""
    provider = ScriptedProvider(turns)
    engine = Engine(providers=[provider], tools=tools)
    await engine.start()
    try:
        yield EngineBench(engine, provider, user)
    finally:
        for gate in [beat for turn in turns for beat in turn if isinstance(beat, asyncio.Event)]:
            gate.set()
        await engine.stop()

"""Readers of any kind, cut anywhere, in any weather, over the real logs: they all see one history.

``READER_EXAMPLES`` is how many histories are tried with each log.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from chatserver.accounts.models import User
from chatserver.ids import new_id
from conversations.models import Run
from conversations.services import run_log
from conversations.services.run_lease import claim_run
from streaming.protocol import events as e
from streaming.protocol.codec import Entry, decode, encode
from streaming.protocol.objects import Step
from streaming.protocol.snapshot import RunState, fold
from tests.support.redis_server import NEEDS_REDIS
from tests.support.services import OwnRedis
from tests.support.stored import END, START, ask, close
from tests.support.whole import TRANSPORTS, Published, Whole, the_whole

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]
EXAMPLES = int(os.environ.get("READER_EXAMPLES", "10"))
PATIENCE = 20.0
T = TypeVar("T")
TEXT = st.text(st.sampled_from("ab \n\x85é漢😀\u2028"), min_size=1, max_size=8)
ACTS = st.lists(st.tuples(st.sampled_from(["say", "say", "think", "use"]), TEXT), min_size=1, max_size=12)
KIND = st.sampled_from(sorted(TRANSPORTS))


class Weather:
    """What becomes of wake-ups on their way: they are lost, come twice, or come after those that followed them."""

    def __init__(self) -> None:
        self.is_now = "fair"
        self._late: list[tuple[UUID, Sequence[Entry]]] = []

    def on_the_way(self, published: Published) -> Published:
        def carry(run_id: UUID, entries: Sequence[Entry]) -> None:
            if self.is_now == "lost":
                return
            if self.is_now == "late":
                self._late.append((run_id, entries))
                return
            for _ in range(2 if self.is_now == "doubled" else 1):
                published(run_id, entries)
            while self._late:
                published(*self._late.pop())

        return carry


class Pen:
    """Writes a run as its worker would, without a model."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.content = ""
        self.steps: list[Step] = []
        self._thinking: Step | None = None

    def write(self, act: str, text: str) -> list[e.Event]:
        match act:
            case "think":
                told = [] if self._thinking else self._begin(Step(**_new(len(self.steps)), step="reasoning"))
                assert self._thinking is not None
                self._thinking = _with(self._thinking, details=(self._thinking.details or "") + text)
                piece = e.StepInProgress(run_id=self._id, step_id=self._thinking.id, step="reasoning", details=text)
                return [*told, piece]
            case "use":
                step = Step(
                    **_new(len(self.steps) + bool(self._thinking)), step="tool_calls", name="clock", arguments={}
                )
                piece = e.StepInProgress(run_id=self._id, step_id=step.id, step="tool_calls", output=text)
                return [*self.rest(), *self._begin(step), piece, self._end(_with(step, output=text))]
            case _:
                self.content += text
                return [*self.rest(), e.MessageDelta(run_id=self._id, content=text)]

    def rest(self) -> list[e.Event]:
        """Stop thinking, if that is what goes on."""
        return [] if self._thinking is None else [self._end(self._thinking)]

    @property
    def thinking(self) -> str:
        return "\n\n".join(step.details or "" for step in self.steps if step.step == "reasoning")

    @property
    def _id(self) -> str:
        return str(self.run.pk)

    def _begin(self, step: Step) -> list[e.Event]:
        if step.step == "reasoning":
            self._thinking = step
        return [e.StepCreated(run_id=self._id, thread_id=str(self.run.thread_id), step=step)]

    def _end(self, step: Step) -> e.Event:
        if step.step == "reasoning":
            self._thinking = None
        step = _with(step, status="completed", finished_at=END, duration_ms=2000)
        self.steps.append(step)
        return e.StepCompleted(run_id=self._id, thread_id=str(self.run.thread_id), step=step)


def _new(index: int) -> dict[str, Any]:
    return {"id": str(new_id()), "index": index, "status": "in_progress", "started_at": START}


def _with(step: Step, **changes: Any) -> Step:
    fields = {name: getattr(step, name) for name in step.__struct_fields__}
    return Step(**{**fields, **changes})


class Reader:
    """One client. It keeps what it has when its connection is cut, and goes on from there, by whatever way it likes."""

    def __init__(self, whole: Whole, run_id: str, had: list[str]) -> None:
        self._whole = whole
        self._run_id = run_id
        self.state = fold(Entry(number, text) for number, text in enumerate(had, start=1))
        self.seen: dict[int, str] = {}
        self.snapshots: list[e.Snapshot] = []
        self._reading: asyncio.Task[None] | None = None

    def read(self, kind: str, *, after: int | None = None) -> None:
        cursor = self.state.last if after is None else after
        self._reading = asyncio.ensure_future(self._read(TRANSPORTS[kind](self._whole, self._run_id, cursor)))

    async def _read(self, texts: Any) -> None:
        try:
            async for text in texts:
                self._take(text)
        finally:
            await texts.aclose()

    def _take(self, text: str) -> None:
        number, event = decode(text)
        if isinstance(event, e.Snapshot):
            self.snapshots.append(event)
        elif number is not None:
            self.seen[number] = text
        self.state.apply(number, event)  # raises where anything is missing, repeated or after the end

    def go_on(self) -> None:
        """Connect again where the connection has ended. Raises what it has ended with."""
        assert self._reading is not None
        if self._reading.done():
            self._reading.result()
            self.read("sse")

    async def told_otherwise(self) -> None:
        while not self.snapshots:
            assert self._reading is not None
            assert not self._reading.done()
            await asyncio.sleep(0.005)

    async def cut(self) -> None:
        assert self._reading is not None
        if self._reading.done():
            self._reading.result()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def finish(self, kinds: Iterator[str]) -> None:
        """Read on to the end, by another way each time a connection ends before it."""
        assert self._reading is not None
        async with asyncio.timeout(PATIENCE):
            while not self.state.terminal:
                await self._reading
                if not self.state.terminal:
                    self.read(next(kinds))
        await self.cut()


class AnyReader(RuleBasedStateMachine):
    whole: ClassVar[Whole]
    weather: ClassVar[Weather]
    user: ClassVar[User]
    loop: ClassVar[asyncio.AbstractEventLoop]
    finds_the_lost: ClassVar[bool]  # the log in memory is woken by what is written to it, or not at all
    prunes: ClassVar[bool]

    @initialize()
    def begin(self) -> None:
        opened = ask(self.user)
        self.readers: list[Reader] = []
        claim = claim_run(run_id=opened.run.pk, holder=self.whole.engine.supervisor._holder, expiry=1000)
        assert claim is not None
        self.claim, self.pen = claim, Pen(opened.run)
        self.run_id = str(opened.run.pk)
        self.weather.is_now = "fair"
        self.do(self._read_opening())
        run = Run.objects.get(pk=opened.run.pk)
        common = {"run_id": self.run_id, "thread_id": str(run.thread_id)}
        self.append([e.RunInProgress(**common, attempt=1, run=self.opening.run)])  # type: ignore[arg-type]

    async def _read_opening(self) -> None:
        await asyncio.sleep(0)  # the bell rings in the loop
        entries = await self.whole.engine.event_log.read(run_id=self.claim.run_id, after=0)
        self.log = [entry.text for entry in entries]
        self.opening = fold(entries)

    @rule(acts=ACTS)
    def write(self, acts: list[tuple[str, str]]) -> None:
        self.append([event for act in acts for event in self.pen.write(*act)])

    @rule(kind=KIND, share=st.floats(0, 1), ahead=st.sampled_from([0, 0, 0, 3]))
    def join(self, kind: str, share: float, ahead: int) -> None:
        had = self.log[: int(share * len(self.log))]
        reader = Reader(self.whole, self.run_id, had)
        self.readers.append(reader)
        beyond = ahead and kind != "poll"  # which has no snapshot to say that somebody is ahead
        self._start(reader, kind, len(self.log) + ahead if beyond else None)
        if beyond:
            self.do(reader.told_otherwise())  # before the run comes to where this reader says it is

    @precondition(lambda self: self.readers)
    @rule(which=st.integers(0, 100), kind=KIND, later=st.booleans())
    def cut(self, which: int, kind: str, later: bool) -> None:
        reader = self.readers[which % len(self.readers)]
        self.do(reader.cut())
        if later:
            self.rest(0.01)
        self._start(reader, kind, None)

    @rule(now=st.sampled_from(["fair", "lost", "doubled", "late"]))
    def change(self, now: str) -> None:
        self.weather.is_now = now

    @rule(seconds=st.sampled_from([0.0, 0.005, 0.06]))
    def rest(self, seconds: float) -> None:
        self.do(asyncio.sleep(seconds))

    @precondition(lambda self: self.finds_the_lost and self.readers)
    @rule(acts=ACTS, weather=st.sampled_from(["lost", "late"]))
    def all_find_what_does_not_come(self, acts: list[tuple[str, str]], weather: str) -> None:
        """Whoever waits for news, and is not told of them, has them all the same."""
        self.weather.is_now = "fair"
        self.do(self._all_arrive())
        self.weather.is_now = weather
        self.write(acts)
        self.do(self._all_arrive())

    async def _all_arrive(self) -> None:
        while behind := [reader for reader in self.readers if reader.state.last < len(self.log)]:
            for reader in behind:
                reader.go_on()
            await asyncio.sleep(0.01)

    def teardown(self) -> None:
        if not hasattr(self, "log"):
            return
        self.append(self.pen.rest())
        self.weather.is_now = "fair"
        self.do(self._close())
        kinds = iter(lambda: "sse", None)
        for reader in self.readers:
            self.do(reader.finish(kinds))
        self._hear_late_comers()
        if self.prunes:
            run_log.prune_logs(kept=0, most=100)
            self._hear_late_comers()

    def _hear_late_comers(self) -> None:
        whole = fold(Entry(number, text) for number, text in enumerate(self.log, start=1))
        for number, kind in enumerate(sorted(TRANSPORTS)):
            reader = Reader(self.whole, self.run_id, self.log[: number * 3])
            self._start(reader, kind, None)
            self.do(reader.finish(iter(lambda: "sse", None)))
            self.readers.append(reader)
        for reader in self.readers:
            assert all(text == self.log[number - 1] for number, text in reader.seen.items())
            assert reader.state.last == len(self.log)
            assert _shown(reader.state) == _shown(whole)
            for snapshot in reader.snapshots:
                self._check(snapshot)

    def _check(self, snapshot: e.Snapshot) -> None:
        before = fold(Entry(number, text) for number, text in enumerate(self.log[: snapshot.as_of], start=1))
        assert (snapshot.messages, snapshot.steps) == (before.messages, before.steps)

    def _start(self, reader: Reader, kind: str, cursor: int | None) -> None:
        async def start() -> None:
            reader.read(kind, after=cursor)

        self.do(start())

    def append(self, events: Sequence[e.Event]) -> None:
        if not events:
            return
        first = len(self.log) + 1
        entries = [Entry(number, encode(event, number)) for number, event in enumerate(events, start=first)]

        async def write() -> None:
            log = self.whole.engine.event_log
            await log.append(run_id=self.claim.run_id, number=self.claim.number, entries=entries)

        self.do(write())
        self.log += [entry.text for entry in entries]

    async def _close(self) -> None:
        pen = self.pen
        closing: Callable[[], list[Entry]] = partial(
            close, pen.run, self.claim, head=len(self.log), content=pen.content, thinking=pen.thinking, steps=pen.steps
        )
        self.log += [entry.text for entry in await self.whole.engine.event_log.run_last(closing, run_id=pen.run.pk)]

    def do(self, work: Awaitable[T]) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(PATIENCE):
                return await work

        return self.loop.run_until_complete(bounded())


def _shown(state: RunState) -> Any:
    return state.run, state.messages, state.steps, state.terminal


@pytest.fixture
def redis() -> Iterator[OwnRedis]:
    with OwnRedis() as server:
        yield server


@pytest.mark.parametrize("log", ["database", "memory", pytest.param("redis", marks=NEEDS_REDIS)])
def test_readers_cut_anywhere_resume_by_any_way_and_all_see_one_history(
    user: User, token_for: Any, log: str, settings: Any, request: pytest.FixtureRequest
) -> None:
    settings.EVENT_LOG, settings.RUN_CAPACITY, settings.MAX_STREAMS = log, 0, 10_000
    settings.REDIS_URL = request.getfixturevalue("redis").url if log == "redis" else ""
    AnyReader.user = user
    AnyReader.finds_the_lost = AnyReader.prunes = log != "memory"
    AnyReader.loop, AnyReader.weather = asyncio.new_event_loop(), Weather()
    stack = AsyncExitStack()
    AnyReader.whole = AnyReader.loop.run_until_complete(
        stack.enter_async_context(the_whole(token_for(user), weather=AnyReader.weather.on_the_way))
    )
    try:
        run_state_machine_as_test(AnyReader, settings=_profile())
    finally:
        AnyReader.loop.run_until_complete(stack.aclose())
        AnyReader.loop.close()


def _profile() -> Any:
    # Every example waits for real readers, so what fails is shown as it was found.
    return settings(
        max_examples=EXAMPLES,
        stateful_step_count=14,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

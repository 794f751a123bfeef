"""Any history of writers who come, freeze and die, of readers who come back whenever they like, and of a Redis that
forgets: each log keeps what it promises. ``LOG_EXAMPLES`` is how many are tried with each.

No number ever means two things. What follows a cursor follows it without a hole, or is a snapshot. As long as not both
the log and its writer are lost, not a word is.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, TypeVar

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from redis import Redis

from chatserver.accounts.models import User
from conversations.models import Run
from conversations.services.run_lease import Claim
from streaming.eventlog.base import EventLog, Fenced, LogLost
from streaming.eventlog.database import DatabaseLog
from streaming.eventlog.memory import MemoryLog
from streaming.eventlog.redis import RedisLog
from streaming.offload import Offload
from streaming.protocol.codec import Entry
from streaming.protocol.marks import is_snapshot
from streaming.protocol.snapshot import RunState
from tests.support.log_bench import Bench, at_work, deltas
from tests.support.redis_server import NEEDS_REDIS
from tests.support.services import OwnRedis
from tests.support.stored import close

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]
EXAMPLES = int(os.environ.get("LOG_EXAMPLES", "15"))
PATIENCE = 20.0
T = TypeVar("T")
ONE_OF_MANY = st.integers(0, 1000)


@dataclass
class Reader:
    state: RunState = field(default_factory=RunState)

    @property
    def text(self) -> str:
        return "" if self.state.answer is None else self.state.answer.text


@dataclass
class Writer:
    """Somebody who has held the run; ``bench`` is the process."""

    bench: Bench
    claim: Claim


class History(RuleBasedStateMachine):
    loop: ClassVar[asyncio.AbstractEventLoop]
    processes: ClassVar[list[Bench]]
    redis: ClassVar[OwnRedis | None]
    user: ClassVar[User]

    @initialize()
    def begin(self) -> None:
        process = self.processes[0]
        self.meanings: dict[int, str] = {}
        self.readers: list[Reader] = []
        self.writers = [Writer(process, self.do(process.run(self.user)))]
        self.head, self.text, self.forgotten = 3, "", False

    @property
    def run_id(self):  # type: ignore[no-untyped-def]
        return self.writers[0].claim.run_id

    @rule(count=st.integers(1, 5))
    def the_writer_writes(self, count: int) -> None:
        writer = self.writers[-1]
        first, last = self.head + 1, self.head + count
        self.do(writer.bench.append(writer.claim, first, last))
        for entry in deltas(first, last):
            self._means(entry)
        self.head, self.text, self.forgotten = last, self.text + _said(first, last), False

    @precondition(lambda self: len(self.writers) > 1)
    @rule(which=ONE_OF_MANY)
    def one_of_before_wakes_up(self, which: int) -> None:
        writer = self.writers[which % (len(self.writers) - 1)]
        with pytest.raises(Fenced):
            self.do(writer.bench.append(writer.claim, self.head + 1, self.head + 1, "old"))

    @rule(which=ONE_OF_MANY)
    def another_one_takes_the_run_over(self, which: int) -> None:
        process = self.processes[which % len(self.processes)]
        claim = self.do(process.taken_over(self.run_id, holder=f"holder {len(self.writers)}"))
        self.do(process.log.fence(run_id=self.run_id, number=claim.number))
        self.writers.append(Writer(process, claim))
        state = self.do(process.state(self.run_id))
        assert state.answer is not None
        if self.forgotten:
            assert self.text.startswith(state.answer.text)
            assert state.last >= max(self.meanings, default=0)
        else:
            assert (state.last, state.answer.text) == (self.head, self.text)
        self.head, self.text, self.forgotten = state.last, state.answer.text, False

    @rule()
    def two_seconds_pass(self) -> None:
        for process in self.processes:
            if isinstance(process.log, RedisLog):
                self.do(process.offload(process.log._checkpoints.keep, time.monotonic() + 100))

    @precondition(lambda self: self.redis is not None)
    @rule(how=st.sampled_from(["everything", "everything", "scripts", "connections", "the stream", "the hash"]))
    def redis_forgets(self, how: str) -> None:
        assert self.redis is not None
        with Redis(port=self.redis.port, protocol=2) as by_hand:
            match how:
                case "everything":
                    by_hand.flushall()
                case "scripts":
                    by_hand.script_flush()
                case "connections":
                    by_hand.client_kill_filter(skipme=True, _type="normal")
                case "the stream":
                    by_hand.delete(f"test:log:{{{self.run_id}}}:events")
                case "the hash":
                    by_hand.delete(f"test:log:{{{self.run_id}}}:writer")
        # Without its hash a stream may be read, but nobody can know any more whether it is whole.
        self.forgotten = self.forgotten or how in ("everything", "the stream", "the hash")

    @rule()
    def somebody_begins_to_read(self) -> None:
        self.readers.append(Reader())
        self._reads(self.readers[-1])

    @precondition(lambda self: self.readers)
    @rule(which=ONE_OF_MANY)
    def somebody_comes_back(self, which: int) -> None:
        self._reads(self.readers[which % len(self.readers)])

    @precondition(lambda self: self.readers)
    @rule()
    def all_are_told_what_is_new(self) -> None:
        """As by the poll of a process that follows them all."""
        process = self.processes[-1]
        for reader in self.readers:
            news, removed = self.do(process.log.news({self.run_id: reader.state.last}))
            assert removed == set()
            for entry in news.get(self.run_id, []):
                if not is_snapshot(entry):
                    self._means(entry)

    def teardown(self) -> None:
        if not hasattr(self, "writers"):
            return
        writer = self.writers[-1]
        run = Run.objects.select_related("answer").get(pk=self.run_id)
        closing = partial(close, run, writer.claim, head=self.head, content=self.text)
        self.do(writer.bench.log.run_last(closing, run_id=self.run_id))
        Run.objects.filter(pk=self.run_id).update(finished_at=timezone.now())
        for reader in [*self.readers, Reader()]:
            self._reads(reader, ended=True)
            assert reader.state.terminal
            assert reader.text == self.text

    def _reads(self, reader: Reader, *, ended: bool = False) -> None:
        """From its cursor, until there is nothing more; by any process."""
        process = self.processes[(len(self.readers) + self.head) % len(self.processes)]
        while entries := self._read(process, reader):
            assert all(entry.id > reader.state.last for entry in entries)
            reader.state.extend(entries)  # raises for a hole
            for entry in entries:
                if not is_snapshot(entry):
                    self._means(entry)
        if not self.forgotten and not ended:
            assert (reader.state.last, reader.text) == (self.head, self.text)

    def _read(self, process: Bench, reader: Reader) -> list[Entry]:
        try:
            return self.do(process.log.read(run_id=self.run_id, after=reader.state.last))
        except LogLost:
            raise AssertionError("the run is there") from None

    def _means(self, entry: Entry) -> None:
        assert self.meanings.setdefault(entry.id, entry.text) == entry.text

    def do(self, work: Awaitable[T]) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(PATIENCE):
                return await work

        return self.loop.run_until_complete(bounded())


def _said(first: int, last: int) -> str:
    return "".join(f"x{number}" for number in range(first, last + 1))


@pytest.fixture
def redis() -> Iterator[OwnRedis]:
    with OwnRedis() as server:
        yield server


@pytest.mark.parametrize("kind", ["memory", "database", pytest.param("redis", marks=NEEDS_REDIS)])
def test_a_log_keeps_what_it_promises_through_any_history(
    kind: str, user: User, request: pytest.FixtureRequest
) -> None:
    History.user = user
    History.redis = request.getfixturevalue("redis") if kind == "redis" else None
    # The log in memory is one process's.
    make = _maker(kind, History.redis)
    History.loop = asyncio.new_event_loop()
    stack = AsyncExitStack()
    try:
        many = 1 if kind == "memory" else 2
        History.processes = [
            History.loop.run_until_complete(stack.enter_async_context(at_work(make))) for _ in range(many)
        ]
        run_state_machine_as_test(History, settings=_profile())
    finally:
        History.loop.run_until_complete(stack.aclose())
        History.loop.close()


def _maker(kind: str, redis: OwnRedis | None) -> Callable[[Offload], EventLog]:
    match kind:
        case "memory":
            return lambda offload: MemoryLog(offload=offload)
        case "database":
            return lambda offload: DatabaseLog(offload=offload)
    assert redis is not None
    url = redis.url
    return lambda offload: RedisLog(url=url, prefix="test", kept=60, alive=600)


def _profile() -> settings:
    # Every example waits for real logs, so what fails is shown as it was found.
    return settings(
        max_examples=EXAMPLES,
        stateful_step_count=25,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

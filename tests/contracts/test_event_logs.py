"""What every event log promises, whatever it is made of."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError

from chatserver.accounts.models import User
from chatserver.accounts.principal import Principal
from conversations.ports import ports
from conversations.services.run_lease import Claim, claim_orphan, claim_run
from conversations.services.run_open import Choice, open_run
from streaming.eventlog import writer
from streaming.eventlog.base import EventLog, Fenced, LogLost
from streaming.eventlog.commit import commit
from streaming.eventlog.database import DatabaseLog
from streaming.eventlog.memory import MemoryLog
from streaming.offload import Offload
from streaming.protocol.codec import Entry, encode
from streaming.protocol.commands import Send
from streaming.protocol.events import MessageDelta

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Bench:
    """A log at work, and what it has published so far."""

    log: EventLog
    offload: Offload
    published: list[tuple[UUID, int]] = field(default_factory=list)

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


MAKERS: dict[str, Callable[[Offload], EventLog]] = {
    "memory": lambda offload: MemoryLog(offload=offload),
    "database": lambda offload: DatabaseLog(offload=offload, patience=1.0),
}


@pytest.fixture(params=MAKERS)
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    offload = Offload()
    bench = Bench(MAKERS[request.param](offload), offload)
    bench.log.start(lambda run_id, entries: bench.take(run_id, entries))
    loop = asyncio.get_running_loop()
    ports.connect(
        event_store=bench.log.event_store,
        bell=lambda run_id, entries: loop.call_soon_threadsafe(bench.log.rang, run_id, entries) and None,
    )
    yield bench
    ports.disconnect()
    await bench.log.stop()
    offload.stop()


def deltas(first: int, last: int, text: str = "x") -> list[Entry]:
    return [
        Entry(number, encode(MessageDelta(run_id="r", content=f"{text}{number}"), number))
        for number in range(first, last + 1)
    ]


async def test_what_a_verb_wrote_is_in_the_log_and_was_published(bench: Bench, user: User):
    claim = await bench.run(user)
    assert claim.head == 3
    assert await bench.texts(claim.run_id) == [1, 2, 3]
    assert bench.published == [(claim.run_id, 1), (claim.run_id, 2), (claim.run_id, 3)]


async def test_what_was_appended_can_be_read_from_any_cursor(bench: Bench, user: User):
    claim = await bench.run(user)
    await bench.log.append(run_id=claim.run_id, number=claim.number, entries=deltas(4, 9))
    assert await bench.texts(claim.run_id, after=6) == [7, 8, 9]
    assert await bench.texts(claim.run_id, after=9) == []
    assert (await bench.log.read(run_id=claim.run_id, after=3))[0] == deltas(4, 4)[0]


async def test_it_is_in_the_log_before_it_is_visible(bench: Bench, user: User):
    claim = await bench.run(user)
    seen_in_log: list[int] = []
    waiting: list[asyncio.Task[None]] = []

    async def look() -> None:
        seen_in_log.extend(await bench.texts(claim.run_id, after=3))

    def visible(run_id: UUID, entries: Sequence[Entry]) -> None:
        waiting.append(asyncio.ensure_future(look()))

    bench.take = visible  # type: ignore[method-assign]
    await bench.log.append(run_id=claim.run_id, number=claim.number, entries=deltas(4, 5))
    await asyncio.gather(*waiting)
    assert seen_in_log == [4, 5]


async def test_many_appends_of_many_runs_keep_their_order(bench: Bench, user: User):
    claims = [await bench.run(user) for _ in range(5)]
    waiting = [
        bench.log.append(run_id=claim.run_id, number=claim.number, entries=deltas(number, number))
        for number in range(4, 24)
        for claim in claims
    ]
    await asyncio.gather(*waiting)
    for claim in claims:
        assert await bench.texts(claim.run_id) == list(range(1, 24))
        assert [number for run_id, number in bench.published if run_id == claim.run_id] == list(range(1, 24))


async def test_a_reader_takes_bounded_pieces_but_always_one(bench: Bench, user: User):
    claim = await bench.run(user)
    await bench.log.append(run_id=claim.run_id, number=claim.number, entries=deltas(4, 13, "x" * 1000))
    assert len(await bench.log.read(run_id=claim.run_id, after=3, most=4)) == 4
    assert len(await bench.log.read(run_id=claim.run_id, after=3, most_bytes=2500)) == 2
    assert len(await bench.log.read(run_id=claim.run_id, after=3, most_bytes=10)) == 1


async def test_an_append_that_does_not_continue_the_log_is_fenced_out(bench: Bench, user: User):
    claim = await bench.run(user)
    for entries in (deltas(5, 5), deltas(3, 3)):
        with pytest.raises(Fenced):
            await bench.log.append(run_id=claim.run_id, number=claim.number, entries=entries)
    assert await bench.texts(claim.run_id) == [1, 2, 3]


async def test_one_fenced_run_does_not_hold_up_the_others(bench: Bench, user: User):
    good, bad = await bench.run(user), await bench.run(user)
    results = await asyncio.gather(
        bench.log.append(run_id=bad.run_id, number=bad.number, entries=deltas(9, 9)),
        bench.log.append(run_id=good.run_id, number=good.number, entries=deltas(4, 4)),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [Fenced, type(None)]
    assert await bench.texts(good.run_id) == [1, 2, 3, 4]


async def test_a_writer_whose_run_was_taken_over_writes_nothing_more(bench: Bench, user: User):
    old = await bench.run(user)
    await bench.log.append(run_id=old.run_id, number=old.number, entries=deltas(4, 4))
    new = await bench.offload(claim_orphan, run_id=old.run_id, holder="two", expiry=10, all_others_dead=True)
    assert new is not None
    assert new.number == old.number + 1
    await bench.log.append(run_id=new.run_id, number=new.number, entries=deltas(5, 5, "new"))
    with pytest.raises(Fenced):
        await bench.log.append(run_id=old.run_id, number=old.number, entries=deltas(6, 6, "old"))
    entries = await bench.log.read(run_id=old.run_id, after=3)
    assert [entry.text for entry in entries] == [deltas(4, 4)[0].text, deltas(5, 5, "new")[0].text]


async def test_a_closing_job_runs_after_everything_appended_before(bench: Bench, user: User):
    claim = await bench.run(user)
    order: list[str] = []
    for number in range(4, 10):
        done = bench.log.append(run_id=claim.run_id, number=claim.number, entries=deltas(number, number))
        done.add_done_callback(lambda _: order.append("append"))
    await bench.log.run_last(lambda: None)
    order.append("closed")
    assert order == ["append"] * 6 + ["closed"]


async def test_a_closing_job_hands_its_result_and_its_exception_back(bench: Bench):
    assert await bench.log.run_last(lambda: 7) == 7

    def fail() -> None:
        raise LookupError("no")

    with pytest.raises(LookupError):
        await bench.log.run_last(fail)


async def test_a_run_it_never_heard_of_has_no_events(bench: Bench):
    try:
        assert await bench.texts(UUID(int=1)) == []
    except LogLost:
        assert isinstance(bench.log, MemoryLog)


async def test_a_commit_whose_answer_was_lost_is_neither_lost_nor_doubled(
    bench: Bench, user: User, monkeypatch: pytest.MonkeyPatch
):
    claim = await bench.run(user)
    answers = iter([OperationalError("the connection broke")])

    def committed(*args: Any, **kwargs: Any) -> Any:
        done = commit(*args, **kwargs)
        if fault := next(answers, None):
            raise fault
        return done

    monkeypatch.setattr(writer, "commit", committed)
    await bench.log.append(run_id=claim.run_id, number=claim.number, entries=deltas(4, 6))
    await bench.log.append(run_id=claim.run_id, number=claim.number, entries=deltas(7, 7))
    assert await bench.texts(claim.run_id) == [1, 2, 3, 4, 5, 6, 7]
    assert [number for _, number in bench.published] == [1, 2, 3, 4, 5, 6, 7]

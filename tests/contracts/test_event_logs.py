"""What every event log promises, whatever it is made of."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError

from chatserver.accounts.models import User
from conversations.models import Run
from conversations.services.run_lease import claim_orphan
from streaming.eventlog import writer
from streaming.eventlog.base import EventLog, Fenced, LogLost
from streaming.eventlog.commit import commit
from streaming.eventlog.database import DatabaseLog
from streaming.eventlog.memory import MemoryLog
from streaming.eventlog.redis import RedisLog
from streaming.offload import Offload
from streaming.protocol.codec import Entry
from tests.support.log_bench import Bench, at_work, deltas
from tests.support.redis_server import NEEDS_REDIS
from tests.support.services import OwnRedis
from tests.support.stored import close

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def redis() -> Iterator[OwnRedis]:
    with OwnRedis() as server:
        yield server


def made(kind: str, request: pytest.FixtureRequest, offload: Offload) -> EventLog:
    match kind:
        case "memory":
            return MemoryLog(offload=offload)
        case "database":
            return DatabaseLog(offload=offload, patience=1.0)
    return made_of_redis(request.getfixturevalue("redis"), offload)


def made_of_redis(redis: OwnRedis, offload: Offload) -> EventLog:
    return RedisLog(url=redis.url, prefix="test", kept=60, alive=60, patience=1.0)


@pytest.fixture(params=["memory", "database", pytest.param("redis", marks=NEEDS_REDIS)])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with at_work(lambda offload: made(request.param, request, offload)) as bench:
        yield bench


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
    await bench.log.run_last(lambda: None, run_id=claim.run_id)
    order.append("closed")
    assert order == ["append"] * 6 + ["closed"]


async def test_a_closing_job_hands_its_result_and_its_exception_back(bench: Bench):
    assert await bench.log.run_last(lambda: 7, run_id=UUID(int=1)) == 7

    def fail() -> None:
        raise LookupError("no")

    with pytest.raises(LookupError):
        await bench.log.run_last(fail, run_id=UUID(int=1))


async def test_a_run_it_never_heard_of_has_no_events(bench: Bench):
    try:
        assert await bench.texts(UUID(int=1)) == []
    except LogLost:
        assert isinstance(bench.log, MemoryLog | RedisLog)


async def test_the_news_of_many_runs_are_one_question(bench: Bench, user: User):
    moved, still, unasked = [await bench.run(user) for _ in range(3)]
    for claim in (moved, unasked):
        await bench.log.append(run_id=claim.run_id, number=claim.number, entries=deltas(4, 6))
    gone = UUID(int=1)
    news, removed = await bench.log.news({moved.run_id: 4, still.run_id: 3, unasked.run_id: 0, gone: 7})
    assert (news, removed) == ({moved.run_id: deltas(5, 6)}, {gone})


async def test_news_come_in_bounded_pieces(bench: Bench, user: User):
    claim = await bench.run(user)
    await bench.log.append(run_id=claim.run_id, number=claim.number, entries=deltas(4, 400))
    news, _ = await bench.log.news({claim.run_id: 3})
    assert [entry.id for entry in news[claim.run_id]] == list(range(4, 260))


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


@NEEDS_REDIS
async def test_from_the_database_to_redis_what_goes_on_goes_on(user: User, redis: OwnRedis):
    async with at_work(lambda offload: DatabaseLog(offload=offload)) as before:
        claim, waits = await before.run(user), await before.run(user)
        await before.append(claim, 4, 6)
    async with at_work(lambda offload: made_of_redis(redis, offload)) as after:
        for each in (claim, waits):
            await after.log.fence(run_id=each.run_id, number=each.number)
        await after.append(claim, 7, 8)
        await after.append(waits, 4, 4)
        assert await after.text(claim.run_id) == "x4x5x6x7x8"
        assert await after.texts(waits.run_id) == [1, 2, 3, 4]


@NEEDS_REDIS
async def test_from_redis_to_the_database_what_has_ended_is_told_and_what_waits_begins(user: User, redis: OwnRedis):
    async with at_work(lambda offload: made_of_redis(redis, offload)) as before:
        claim, waits = await before.run(user), await before.run(user)
        await before.append(claim, 4, 6)
        run = await Run.objects.select_related("answer").aget(pk=claim.run_id)
        await before.log.run_last(partial(close, run, claim, head=6, content="x4x5x6"), run_id=run.pk)
    async with at_work(lambda offload: DatabaseLog(offload=offload)) as after:
        assert await after.texts(claim.run_id, after=6) == [7, 8]
        assert await after.texts(claim.run_id, after=8) == []
        await after.append(waits, 4, 4)
        assert (await after.log.extent(run_id=claim.run_id, after=0)).head == 8


@NEEDS_REDIS
async def test_a_run_that_ended_while_the_log_was_the_database_is_told_under_redis(user: User, redis: OwnRedis):
    async with at_work(lambda offload: DatabaseLog(offload=offload)) as before:
        claim = await before.run(user)
        await before.append(claim, 4, 6)
        run = await Run.objects.select_related("answer").aget(pk=claim.run_id)
        await before.log.run_last(partial(close, run, claim, head=6, content="x4x5x6"), run_id=run.pk)
    async with at_work(lambda offload: made_of_redis(redis, offload)) as after:
        state = await after.state(claim.run_id)
        assert (state.last, state.terminal) == (8, True)
        assert await after.text(claim.run_id) == "x4x5x6"

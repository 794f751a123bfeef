"""The log on Redis, and all that Redis can do to it: forget, be away, stand still, be full, wake up in the past."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError
from redis import Redis

from chatserver.accounts.models import User
from conversations.models import Run, RunCheckpoint, RunLease
from conversations.services import run_checkpoint
from conversations.services.run_cancel import cancel_run
from conversations.services.run_lease import Claim, let_go
from conversations.services.run_log import prune_logs
from streaming.eventlog import redis_store
from streaming.eventlog.base import READ_EVENTS, Fenced, LogAway, LogLost
from streaming.eventlog.redis import RedisLog
from streaming.eventlog.redis_keys import Keys
from streaming.eventlog.redis_link import Link
from streaming.offload import Offload
from streaming.protocol.errors import StorageBusy, StorageFull
from streaming.protocol.lifecycle import RunStatus
from streaming.protocol.marks import is_snapshot, is_terminal
from streaming.transports.attach import FromSnapshot, NothingMore, Replay, attach
from streaming.transports.standing import standing
from tests.support.log_bench import Bench, at_work, deltas
from tests.support.redis_server import NEEDS_REDIS
from tests.support.services import OwnRedis
from tests.support.stored import close

pytestmark = [pytest.mark.django_db(transaction=True), NEEDS_REDIS]
KEYS = Keys("test")


@pytest.fixture
def redis() -> Iterator[OwnRedis]:
    with OwnRedis() as server:
        yield server


def log_at(url: str, offload: Offload, *, kept: float = 60, patience: float = 10.0) -> RedisLog:
    return RedisLog(url=url, prefix="test", kept=kept, alive=600, patience=patience)


@pytest.fixture
async def bench(redis: OwnRedis) -> AsyncIterator[Bench]:
    async with at_work(partial(log_at, redis.url)) as bench:
        yield bench


@asynccontextmanager
async def another(redis: OwnRedis) -> AsyncIterator[Bench]:
    """Another process on the same database."""
    async with at_work(partial(log_at, redis.url)) as bench:
        yield bench


def hand(redis: OwnRedis) -> "Redis[bytes]":
    """Somebody at redis-cli."""
    return Redis(port=redis.port, protocol=2)


def said(first: int, last: int, text: str = "x") -> str:
    return "".join(f"{text}{number}" for number in range(first, last + 1))


async def checkpointed(claim: Claim, *, at_least: int) -> int:
    async with asyncio.timeout(20):
        while True:
            head = await RunCheckpoint.objects.filter(pk=claim.run_id).values_list("head", flat=True).afirst()
            if head is not None and head >= at_least:
                return head
            await asyncio.sleep(0.02)


async def ended(bench: Bench, claim: Claim, *, head: int, content: str, **options: Any) -> Run:
    run = await Run.objects.select_related("answer").aget(pk=claim.run_id)
    closing = partial(close, run, claim, head=head, content=content, **options)
    await bench.log.run_last(closing, run_id=claim.run_id)
    await asyncio.sleep(0.05)  # the bell rings in the loop
    return await Run.objects.aget(pk=claim.run_id)


async def attached(bench: Bench, run_id: UUID, after: int) -> Any:
    run = await Run.objects.aget(pk=run_id)
    return attach(await standing(bench.log, run, after=after), after=after, wish="auto")


# --- what lies there -----------------------------------------------------------------------------------------------


async def test_event_n_is_the_entry_n_and_its_text_is_as_it_is(bench: Bench, user: User, redis: OwnRedis) -> None:
    claim = await bench.run(user)
    await bench.append(claim, 4, 6)
    with hand(redis) as by_hand:
        entries = by_hand.xrange(KEYS.stream(claim.run_id))
    assert [id for id, _ in entries] == [b"1-0", b"2-0", b"3-0", b"4-0", b"5-0", b"6-0"]
    assert entries[3][1][b"t"].decode() == deltas(4, 4)[0].text


async def test_several_runs_are_one_round_trip(bench: Bench, user: User) -> None:
    claims = [await bench.run(user) for _ in range(5)]
    for claim in claims:
        await bench.append(claim, 4, 4)
    with mock.patch.object(Link, "call", autospec=True, side_effect=Link.call) as calls:
        await asyncio.gather(
            *(bench.log.append(run_id=each.run_id, number=each.number, entries=deltas(5, 9)) for each in claims)
        )
    assert [len(call.args[1]) for call in calls.call_args_list] == [5]


async def test_the_size_of_a_backlog_is_known_without_reading_it(bench: Bench, user: User) -> None:
    claim = await bench.run(user)
    await bench.append(claim, 4, 100, "x" * 50)
    extent = await bench.log.extent(run_id=claim.run_id, after=40)
    assert (extent.first, extent.head) == (1, 100)
    assert extent.backlog_bytes == sum(len(entry.text) for entry in deltas(41, 100, "x" * 50))


async def test_a_log_that_nobody_ends_is_not_kept_for_ever(bench: Bench, user: User, redis: OwnRedis) -> None:
    claim = await bench.run(user)
    await bench.append(claim, 4, 4)
    with hand(redis) as by_hand:
        for key in KEYS.of(claim.run_id):
            assert 0 < by_hand.ttl(key) <= 600


# --- who may write -------------------------------------------------------------------------------------------------


async def test_between_a_claim_and_its_fence_the_old_holder_writes_and_the_new_one_reads_it(
    bench: Bench, user: User, redis: OwnRedis
) -> None:
    old = await bench.run(user)
    await bench.append(old, 4, 4)
    new = await bench.taken_over(old.run_id)
    await bench.append(old, 5, 5)
    async with another(redis) as other:
        await other.log.fence(run_id=new.run_id, number=new.number)
        assert await other.texts(new.run_id) == [1, 2, 3, 4, 5]
        with pytest.raises(Fenced):
            await bench.append(old, 6, 6, "old")
        await other.append(new, 6, 6, "new")
        assert await other.text(new.run_id) == "x4x5new6"


@pytest.mark.parametrize("forgets", ["all", "the hash", "the stream", "nothing"])
async def test_a_writer_that_wakes_up_late_is_refused_whatever_redis_remembers(
    bench: Bench, user: User, redis: OwnRedis, forgets: str
) -> None:
    old = await bench.run(user)
    await bench.append(old, 4, 9)
    new = await bench.taken_over(old.run_id)
    async with another(redis) as other:
        await other.log.fence(run_id=new.run_id, number=new.number)
        await other.append(new, 10, 10, "new")
        with hand(redis) as by_hand:
            stream, writer = KEYS.of(new.run_id)
            keys = {"all": [stream, writer], "the hash": [writer], "the stream": [stream], "nothing": ["none"]}[forgets]
            by_hand.delete(*keys)
        with pytest.raises(Fenced):
            await bench.append(old, 10, 10, "old")
        await other.append(new, 11, 11, "new")
        assert await other.text(new.run_id) == said(4, 9) + "new10new11"


async def test_a_writer_that_wakes_up_to_a_redis_from_before_the_takeover_is_refused(
    bench: Bench, user: User, redis: OwnRedis
) -> None:
    old = await bench.run(user)
    await bench.append(old, 4, 9)
    stream, writer = KEYS.of(old.run_id)
    with hand(redis) as by_hand:
        past = {key: by_hand.dump(key) for key in (stream, writer)}
    new = await bench.taken_over(old.run_id)
    async with another(redis) as other:
        await other.log.fence(run_id=new.run_id, number=new.number)
        await other.append(new, 10, 12, "new")
        with hand(redis) as by_hand:
            for key, state in past.items():
                by_hand.restore(key, 0, state, replace=True)
            by_hand.client_kill_filter(skipme=True, _type="normal")  # that past lies on another server
        with pytest.raises(Fenced):
            await bench.append(old, 10, 10, "old")
        await other.append(new, 13, 13, "new")
        assert await other.text(new.run_id) == said(4, 9) + said(10, 13, "new")


async def test_what_a_redis_that_stood_still_finds_in_its_ears_afterwards_is_not_written(
    user: User, redis: OwnRedis
) -> None:
    async with at_work(partial(log_at, redis.url, patience=0.5)) as bench:
        claim = await bench.run(user)
        await bench.append(claim, 4, 4)
        redis.freeze()
        try:
            with pytest.raises(StorageBusy):
                await bench.append(claim, 5, 5, "late")
        finally:
            redis.thaw()
        await bench.log.fence(run_id=claim.run_id, number=claim.number)
        head = (await bench.texts(claim.run_id))[-1]  # it may have been written before, but never after
        await asyncio.sleep(0.3)
        assert (await bench.texts(claim.run_id))[-1] == head
        await bench.append(claim, head + 1, head + 1, "next")
        assert (await bench.text(claim.run_id)).endswith(f"next{head + 1}")


async def test_who_was_cut_off_with_an_old_leader_hears_of_it_from_the_database(bench: Bench, user: User) -> None:
    """Here Redis takes everything, because the new holder speaks to another one."""
    claim = await bench.run(user)
    await bench.append(claim, 4, 4)
    await bench.taken_over(claim.run_id)

    async def write_on() -> None:
        for number in range(5, 2000):
            await bench.append(claim, number, number)
            await asyncio.sleep(0.02)

    async with asyncio.timeout(20):
        with pytest.raises(Fenced):
            await write_on()


async def test_a_fence_of_somebody_who_is_late_is_refused(bench: Bench, user: User, redis: OwnRedis) -> None:
    old = await bench.run(user)
    new = await bench.taken_over(old.run_id)
    with pytest.raises(Fenced):  # by the rows
        await bench.log.fence(run_id=old.run_id, number=old.number)
    async with another(redis) as other:
        await other.log.fence(run_id=new.run_id, number=new.number)
        await RunLease.objects.filter(pk=new.run_id).aupdate(number=old.number)  # a backup was restored
        with pytest.raises(Fenced):  # by Redis
            await bench.log.fence(run_id=old.run_id, number=old.number)


async def test_a_run_that_nobody_holds_is_written_to_by_nobody(bench: Bench, user: User) -> None:
    claim = await bench.run(user)
    await bench.offload(let_go, claim=claim)
    with pytest.raises(Fenced):
        await bench.append(claim, 4, 4)


# --- a Redis that forgets, and a writer that lives -----------------------------------------------------------------


async def test_a_redis_that_starts_empty_costs_a_living_writer_nothing(
    bench: Bench, user: User, redis: OwnRedis
) -> None:
    claim = await bench.run(user)
    await bench.append(claim, 4, 20)
    redis.restart()
    await bench.append(claim, 21, 22)
    assert await bench.text(claim.run_id) == said(4, 22)
    assert [entry.id for entry in await bench.log.read(run_id=claim.run_id, after=20)] == [21, 22]
    assert await attached(bench, claim.run_id, 20) == Replay(after=20)
    assert [number for _, number in bench.published] == list(range(1, 23))


async def test_who_was_behind_gets_a_snapshot_that_says_so(bench: Bench, user: User, redis: OwnRedis) -> None:
    claim = await bench.run(user)
    await bench.append(claim, 4, 20)
    assert await checkpointed(claim, at_least=20) == 20
    await bench.append(claim, 21, 22)
    redis.restart()
    await bench.append(claim, 23, 23)
    first, *others = await bench.log.read(run_id=claim.run_id, after=7)
    assert (first.id, is_snapshot(first), json.loads(first.text)["data"]["gap"]) == (20, True, True)
    assert [entry.id for entry in others] == [21, 22, 23]
    assert await attached(bench, claim.run_id, 7) == FromSnapshot(gap=True, reason="log_lost")
    assert await attached(bench, claim.run_id, 20) == Replay(after=20)
    assert await bench.text(claim.run_id) == said(4, 23)
    news, _ = await bench.log.news({claim.run_id: 7})
    assert [entry.id for entry in news[claim.run_id]] == [20, 21, 22, 23]


@pytest.mark.parametrize("gone", ["stream", "hash", "both"])
async def test_what_somebody_deletes_by_hand_is_made_anew(bench: Bench, user: User, redis: OwnRedis, gone: str) -> None:
    claim = await bench.run(user)
    await bench.append(claim, 4, 6)
    with hand(redis) as by_hand:
        stream, writer = KEYS.of(claim.run_id)
        by_hand.delete(*{"stream": [stream], "hash": [writer], "both": [stream, writer]}[gone])
    await bench.append(claim, 7, 8)
    assert await bench.texts(claim.run_id) == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_a_redis_that_has_lost_its_last_moments_gets_them_back(bench: Bench, user: User, redis: OwnRedis) -> None:
    claim = await bench.run(user)
    await bench.append(claim, 4, 6)
    stream, writer = KEYS.of(claim.run_id)
    with hand(redis) as by_hand:
        past = {key: by_hand.dump(key) for key in (stream, writer)}
        await bench.append(claim, 7, 9)
        for key, state in past.items():
            by_hand.restore(key, 0, state, replace=True)
        by_hand.client_kill_filter(skipme=True, _type="normal")
    await bench.append(claim, 10, 10)
    assert await bench.texts(claim.run_id) == list(range(1, 11))
    assert await bench.text(claim.run_id) == said(4, 10)


async def test_a_redis_that_forgets_its_scripts_is_told_them_again(bench: Bench, user: User, redis: OwnRedis) -> None:
    claim = await bench.run(user)
    for number in range(4, 8):
        with hand(redis) as by_hand:
            by_hand.script_flush()
        await bench.append(claim, number, number)
    assert await bench.texts(claim.run_id) == [1, 2, 3, 4, 5, 6, 7]


async def test_while_the_log_is_lost_and_not_yet_made_anew_readers_have_the_checkpoint(
    bench: Bench, user: User, redis: OwnRedis
) -> None:
    claim = await bench.run(user)
    await bench.append(claim, 4, 9)
    await checkpointed(claim, at_least=9)
    redis.restart()
    assert await bench.text(claim.run_id) == said(4, 9)
    assert await attached(bench, claim.run_id, 9) == Replay(after=9)
    assert await attached(bench, claim.run_id, 12) == FromSnapshot(gap=True, reason="cursor_ahead")
    assert await bench.texts(claim.run_id, after=9) == []


# --- a Redis that is away ------------------------------------------------------------------------------------------


async def test_away_for_a_while_is_a_pause_and_readers_are_told(bench: Bench, user: User, redis: OwnRedis) -> None:
    claim = await bench.run(user)
    await bench.append(claim, 4, 4)
    redis.kill()
    waiting = [
        bench.log.append(run_id=claim.run_id, number=claim.number, entries=deltas(number, number))
        for number in range(5, 9)
    ]
    await asyncio.sleep(1.0)
    assert (bench.delayed, [each.done() for each in waiting]) == ([claim.run_id], [False] * 4)
    assert (claim.run_id, 5) not in bench.published, "what is not durable is seen by nobody"
    redis.start()
    async with asyncio.timeout(3):
        await asyncio.gather(*waiting)
    assert await bench.text(claim.run_id) == said(4, 8)


async def test_away_for_too_long_is_told_as_such_and_what_comes_after_goes_on(user: User, redis: OwnRedis) -> None:
    async with at_work(partial(log_at, redis.url, patience=0.5)) as bench:
        claims = [await bench.run(user) for _ in range(3)]
        for claim in claims:
            await bench.append(claim, 4, 4)
        redis.kill()
        async with asyncio.timeout(10):
            results = await asyncio.gather(*(bench.append(claim, 5, 5) for claim in claims), return_exceptions=True)
        assert {type(result) for result in results} == {StorageBusy}
        with pytest.raises(LogAway):
            await bench.log.fence(run_id=claims[0].run_id, number=claims[0].number)
        redis.start()
        await bench.log.fence(run_id=claims[0].run_id, number=claims[0].number)
        assert await bench.texts(claims[0].run_id) == [1, 2, 3, 4]
        await bench.append(claims[0], 5, 5)


async def test_absent_at_the_start_it_is_waited_for(user: User, redis: OwnRedis) -> None:
    redis.kill()
    async with at_work(partial(log_at, redis.url)) as bench:
        claim = await bench.run(user)
        with pytest.raises(LogAway):
            await bench.texts(claim.run_id)
        with pytest.raises(LogAway):
            await bench.log.fence(run_id=claim.run_id, number=claim.number)
        appended = bench.log.append(run_id=claim.run_id, number=claim.number, entries=deltas(4, 5))
        await asyncio.sleep(0.3)
        redis.start()
        await appended
        assert await bench.texts(claim.run_id) == [1, 2, 3, 4, 5]


async def test_whoever_knows_what_to_do_without_a_database_knows_what_to_do_without_redis() -> None:
    assert issubclass(LogAway, OperationalError)


async def test_an_answer_that_was_lost_is_neither_lost_nor_doubled(bench: Bench, user: User) -> None:
    claim = await bench.run(user)
    await bench.append(claim, 4, 4)
    answers = iter([LogAway("the answer was lost")])
    real = Link._send

    def send(link: Link, commands: Any) -> Any:
        replies = real(link, commands)
        ours = any("x5" in part for command in commands for part in command)
        if ours and (fault := next(answers, None)):
            link.close()
            raise fault
        return replies

    with mock.patch.object(Link, "_send", send):
        await bench.append(claim, 5, 7)
    await bench.append(claim, 8, 8)
    assert await bench.texts(claim.run_id) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [number for _, number in bench.published] == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_memory_that_is_full_has_its_own_name_and_does_not_keep_a_run_from_ending(
    user: User, redis: OwnRedis
) -> None:
    async with at_work(partial(log_at, redis.url, patience=0.3)) as bench:
        claim = await bench.run(user)
        await bench.append(claim, 4, 4)
        with hand(redis) as by_hand:
            by_hand.config_set("maxmemory-policy", "noeviction")
            by_hand.config_set("maxmemory", "1")
        with pytest.raises(StorageFull):
            await bench.append(claim, 5, 5)
        await bench.log.fence(run_id=claim.run_id, number=claim.number)
        assert await bench.texts(claim.run_id) == [1, 2, 3, 4]
        await ended(bench, claim, head=4, content="x4", status=RunStatus.FAILED)
        entries = await bench.log.read(run_id=claim.run_id, after=4)
    assert is_terminal(entries[-1])


# --- a Redis that forgets, and a writer that is gone ---------------------------------------------------------------


async def test_where_log_and_writer_are_lost_no_number_is_given_out_twice(user: User, redis: OwnRedis) -> None:
    async with another(redis) as first:
        old = await first.run(user)
        await first.append(old, 4, 20)
        kept = await checkpointed(old, at_least=20)
        await first.append(old, 21, 40)
    redis.restart()
    async with another(redis) as second:
        new = await second.taken_over(old.run_id)
        await second.log.fence(run_id=new.run_id, number=new.number)
        state = await second.state(new.run_id)
        assert state.last > kept + run_checkpoint.RESERVED
        assert state.answer is not None
        assert state.answer.text == said(4, kept)
        for cursor in (1, 30, 40):
            assert await attached(second, new.run_id, cursor) == FromSnapshot(gap=True, reason="log_lost")
            (snapshot,) = await second.log.read(run_id=new.run_id, after=cursor)
            assert json.loads(snapshot.text)["data"]["gap"] is True
        await second.append(new, state.last + 1, state.last + 1, "on")
        assert (await second.text(new.run_id)) == said(4, kept) + f"on{state.last + 1}"


async def test_a_run_that_had_no_checkpoint_yet_goes_on_from_how_it_opened(user: User, redis: OwnRedis) -> None:
    async with another(redis) as first:
        old = await first.run(user)
        await first.append(old, 4, 5)
    redis.restart()
    async with another(redis) as second:
        new = await second.taken_over(old.run_id)
        await second.log.fence(run_id=new.run_id, number=new.number)
        state = await second.state(new.run_id)
    assert state.last > 5
    assert state.answer is not None
    assert (state.answer.text, len(state.messages)) == ("", 2)


async def test_a_log_from_an_earlier_life_of_redis_is_taken_as_it_is_and_gone_on_with_beyond_its_numbers(
    user: User,
) -> None:
    with OwnRedis(keeps=True) as redis:
        async with another(redis) as first:
            old = await first.run(user)
            await first.append(old, 4, 20)
        redis.kill()
        redis.start()
        async with another(redis) as second:
            new = await second.taken_over(old.run_id)
            await second.log.fence(run_id=new.run_id, number=new.number)
            state = await second.state(new.run_id)
    assert state.answer is not None
    assert state.answer.text == said(4, 20), "nothing that is there is lost"
    assert state.last > 20, "and what is not there may have been seen"


async def test_in_the_same_life_of_redis_a_new_holder_goes_on_at_the_next_number(user: User, redis: OwnRedis) -> None:
    async with another(redis) as first:
        old = await first.run(user)
        await first.append(old, 4, 20)
    async with another(redis) as second:
        new = await second.taken_over(old.run_id)
        await second.log.fence(run_id=new.run_id, number=new.number)
        await second.append(new, 21, 21)
        assert await second.texts(new.run_id) == list(range(1, 22))


async def test_a_holder_that_died_while_it_made_the_log_anew_leaves_it_to_the_next(user: User, redis: OwnRedis) -> None:
    async with another(redis) as first:
        old = await first.run(user)
        await first.append(old, 4, 6)
        await checkpointed(old, at_least=6)
    redis.restart()
    async with another(redis) as second:
        died = await second.taken_over(old.run_id, holder="two")
        with (
            mock.patch.object(redis_store.RedisStore, "_make", side_effect=LogAway("died")),
            pytest.raises(LogAway),
        ):
            await second.log.fence(run_id=died.run_id, number=died.number)
    async with another(redis) as third:
        new = await third.taken_over(old.run_id, holder="three")
        await third.log.fence(run_id=new.run_id, number=new.number)
        assert await third.text(new.run_id) == said(4, 6)
        head = (await third.state(new.run_id)).last
        await third.append(new, head + 1, head + 1)


# --- checkpoints ---------------------------------------------------------------------------------------------------


async def test_checkpoints_come_within_seconds_and_reserve_what_follows(bench: Bench, user: User) -> None:
    claim = await bench.run(user)
    await bench.append(claim, 4, 9)
    await checkpointed(claim, at_least=9)
    lease = await RunLease.objects.aget(pk=claim.run_id)
    assert (lease.head, lease.reserved) == (9, 9 + run_checkpoint.RESERVED)


async def test_no_number_is_given_out_that_is_not_reserved(bench: Bench, user: User) -> None:
    claim = await bench.run(user)
    with (
        mock.patch.object(redis_store, "RESERVED", 5),
        mock.patch.object(run_checkpoint, "RESERVED", 5),
        mock.patch("streaming.eventlog.checkpoints.RESERVED", 5),
    ):
        for first in range(4, 40, 4):
            await bench.append(claim, first, first + 3)
            lease = await RunLease.objects.aget(pk=claim.run_id)
            assert lease.reserved >= first + 3


async def test_what_is_only_much_is_not_lost(bench: Bench, user: User) -> None:
    claim = await bench.run(user)
    await bench.append(claim, 4, 3 * READ_EVENTS)
    await checkpointed(claim, at_least=3 * READ_EVENTS)
    for head in (3, 3 + READ_EVENTS):
        news, _ = await bench.log.news({claim.run_id: head})
        assert [entry.id for entry in news[claim.run_id]] == list(range(head + 1, head + 1 + READ_EVENTS))
        assert not any(map(is_snapshot, news[claim.run_id]))


async def test_while_redis_is_away_nothing_is_known_to_be_lost(bench: Bench, user: User, redis: OwnRedis) -> None:
    claim = await bench.run(user)
    await bench.append(claim, 4, 9)
    await checkpointed(claim, at_least=9)
    redis.kill()
    assert await bench.log.news({claim.run_id: 6}) == ({}, set())


# --- the end -------------------------------------------------------------------------------------------------------


async def test_the_end_stands_in_the_rows_though_redis_is_away(bench: Bench, user: User, redis: OwnRedis) -> None:
    claim = await bench.run(user)
    await bench.append(claim, 4, 6)
    redis.kill()
    run = await ended(bench, claim, head=6, content="x4x5x6")
    news, _ = await bench.log.news({claim.run_id: 6})
    assert [entry.id for entry in news[claim.run_id]] == [7, 8]
    redis.start()
    assert await bench.texts(claim.run_id, after=6) == [7, 8]
    assert await attached(bench, claim.run_id, 8) == NothingMore()
    assert (await bench.log.extent(run_id=claim.run_id, after=0)).head == run.head == 8
    (snapshot,) = await bench.log.read(run_id=claim.run_id, after=4)
    assert (snapshot.id, is_snapshot(snapshot)) == (7, True)
    assert [entry.id for entry in await bench.log.read(run_id=claim.run_id, after=7)] == [8]


async def test_the_end_comes_to_the_stream_and_goes_with_it(user: User, redis: OwnRedis) -> None:
    async with at_work(partial(log_at, redis.url, kept=1)) as bench:
        claim = await bench.run(user)
        await bench.append(claim, 4, 6)
        await ended(bench, claim, head=6, content="x4x5x6")
        assert await bench.texts(claim.run_id) == list(range(1, 9))
        with hand(redis) as by_hand:
            assert by_hand.exists(*KEYS.of(claim.run_id)) == 2
            await asyncio.sleep(1.2)
            assert by_hand.keys() == []
        assert await attached(bench, claim.run_id, 2) == FromSnapshot(gap=False, reason="log_pruned")
        await bench.offload(prune_logs, kept=0, most=10)
        run = await Run.objects.aget(pk=claim.run_id)
        assert (len(run.opening_events), len(run.closing_events)) == (0, 1)
        assert await attached(bench, claim.run_id, 2) == FromSnapshot(gap=False, reason="log_pruned")
        assert await bench.text(claim.run_id) == "x4x5x6"
        state = await bench.state(claim.run_id)
        assert (state.last, state.terminal) == (8, True)
    assert not await RunCheckpoint.objects.aexists()


async def test_what_never_began_is_cancelled_without_a_stream(bench: Bench, user: User, redis: OwnRedis) -> None:
    redis.kill()
    claim = await bench.run(user)
    await Run.objects.filter(pk=claim.run_id).aupdate(status=RunStatus.QUEUED)
    run = await Run.objects.aget(pk=claim.run_id)
    await sync_to_async(cancel_run)(run=run, by="user", reason="requested")
    redis.start()
    state = await bench.state(claim.run_id)
    assert (state.terminal, state.run and state.run.status) == (True, "cancelled")


async def test_a_run_that_was_removed_is_told_as_removed(bench: Bench, user: User) -> None:
    claim = await bench.run(user)
    await bench.append(claim, 4, 6)
    await Run.objects.filter(pk=claim.run_id).adelete()
    news, removed = await bench.log.news({claim.run_id: 6})
    assert (news, removed) == ({}, {claim.run_id})
    with pytest.raises(LogLost):
        await bench.log.read(run_id=claim.run_id, after=6)
    with pytest.raises(Fenced):
        await bench.log.fence(run_id=claim.run_id, number=claim.number)
    with pytest.raises(Fenced):
        await bench.append(claim, 7, 7)

"""Following a feed: what a reader is given, and when it is let go."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chatserver.accounts.models import User
from conversations.models import FeedEvent
from conversations.ports import RowEventStore, ports
from conversations.selectors import FeedPiece
from conversations.services import feed
from streaming.eventlog.feed_tailer import FeedTailer
from streaming.offload import Offload
from streaming.protocol.codec import Entry
from streaming.transports.feed_follow import continued, follow_feed
from streaming.transports.live import Live
from tests.support.bench import principal_of

db = pytest.mark.django_db(transaction=True)
Following = AsyncGenerator[list[Entry], None]


def piece(*ids: int, head: int) -> FeedPiece:
    return FeedPiece(head=head, entries=[Entry(id, f"{{{id}}}") for id in ids])


def given(found: FeedPiece, cursor: int) -> list[Any]:
    """The numbers that a reader at ``cursor`` is given, or the reason of its reset."""
    told = continued(found, cursor)
    return [json.loads(entry.text)["data"]["reason"] if "reset" in entry.text else entry.id for entry in told]


@pytest.mark.parametrize(
    ("found", "cursor", "expected"),
    [
        (piece(head=0), 0, []),
        (piece(1, 2, head=2), 0, [1, 2]),
        (piece(head=2), 2, []),
        (piece(3, head=9), 2, [3]),
        (piece(head=2), 3, ["cursor_ahead"]),
        (piece(5, 6, head=6), 3, ["feed_pruned"]),
        (piece(head=6), 3, ["feed_pruned"]),
        (piece(4, 6, head=6), 3, [4]),
        (piece(6, head=6), 4, ["feed_pruned"]),
    ],
)
def test_a_reader_is_given_what_continues_its_cursor_or_told_to_load_again(
    found: FeedPiece, cursor: int, expected: list[Any]
) -> None:
    assert given(found, cursor) == expected


def test_a_reset_carries_the_number_from_which_the_feed_goes_on() -> None:
    (entry,) = continued(piece(head=6), 3)
    assert entry.id == 6
    assert json.loads(entry.text) == {
        "event": "feed.reset",
        "feed": 6,
        "data": {"head": 6, "reason": "feed_pruned"},
    }


@asynccontextmanager
async def tailer(*, bell: bool, interval: float = 60.0) -> AsyncIterator[FeedTailer]:
    """``bell``: whether what is written here rings here, as in one process; without it another process wrote it."""
    offload = Offload()
    feeds = FeedTailer(offload=offload, interval=interval)
    loop = asyncio.get_running_loop()
    if bell:
        ports.connect(
            event_store=RowEventStore(),
            bell=lambda run_id, entries: None,
            feed_bell=lambda user_id, entries: loop.call_soon_threadsafe(feeds.published, user_id, entries),
        )
    polling = asyncio.create_task(feeds.poll_for_ever())
    try:
        yield feeds
    finally:
        ports.disconnect()
        polling.cancel()
        offload.stop()


@sync_to_async
def write(user: User, times: int = 1) -> None:
    for _ in range(times):
        feed.record(user.pk, "thread.deleted", {"thread_id": "x"})


def following(feeds: FeedTailer, user: User, *, after: int = 0, live: Live | None = None) -> Following:
    live = live or Live(principal_of(user))
    return follow_feed(feeds=feeds, user_id=user.pk, after=after, heartbeat=60, live=live)


async def take(news: Following, count: int) -> list[int]:
    seen: list[int] = []
    async with asyncio.timeout(20):
        while len(seen) < count:
            seen += [entry.id for entry in await anext(news)]
    return seen


@db
async def test_what_is_there_comes_first_and_then_what_is_written(user: User) -> None:
    await write(user, 3)
    async with tailer(bell=True) as feeds, aclosing(following(feeds, user, after=1)) as news:
        assert await take(news, 2) == [2, 3]
        await write(user, 2)
        assert await take(news, 2) == [4, 5]
    assert feeds._channels == {}


@db
async def test_a_reader_of_an_empty_feed_hears_of_the_first_event(user: User) -> None:
    async with tailer(bell=False, interval=0.05) as feeds, aclosing(following(feeds, user)) as news:
        first = asyncio.create_task(take(news, 1))
        await asyncio.sleep(0.2)
        await write(user)
        assert await first == [1]


@db
async def test_what_another_process_wrote_is_found_by_the_poll(user: User, other_user: User) -> None:
    await write(user, 2)
    async with (
        tailer(bell=False, interval=0.05) as feeds,
        aclosing(following(feeds, user, after=1)) as one,
        aclosing(following(feeds, user, after=2)) as two,
        aclosing(following(feeds, other_user)) as other,
    ):
        assert await take(one, 1) == [2]
        waiting = [asyncio.create_task(take(news, 2)) for news in (one, two)]
        elsewhere = asyncio.create_task(take(other, 1))
        await write(user, 2)
        await write(other_user)
        assert [await each for each in waiting] == [[3, 4], [3, 4]]
        assert await elsewhere == [1]


@db
async def test_what_one_reader_finds_others_who_wait_are_told_of(user: User) -> None:
    await write(user)
    async with (
        tailer(bell=False) as feeds,
        aclosing(following(feeds, user)) as one,
        aclosing(following(feeds, user)) as two,
    ):
        assert await take(one, 1) == [1]
        waiting = asyncio.create_task(take(one, 1))
        await asyncio.sleep(0.1)
        await write(user)
        assert await take(two, 2) == [1, 2]
        assert await waiting == [2]


@db
async def test_a_bell_that_rings_out_of_order_leaves_no_hole(user: User) -> None:
    async with tailer(bell=False) as feeds, aclosing(following(feeds, user)) as news:
        waiting = asyncio.create_task(take(news, 3))
        await asyncio.sleep(0.1)
        await write(user, 3)
        rows = await sync_to_async(lambda: list(FeedEvent.objects.order_by("number").values_list("number", "text")))()
        for number, text in (rows[1], rows[0], rows[2]):
            feeds.published(user.pk, [Entry(number, text)])
        assert await waiting == [1, 2, 3]


@db
async def test_a_cursor_from_elsewhere_is_reset_and_goes_on(user: User) -> None:
    await write(user, 2)
    async with tailer(bell=True) as feeds, aclosing(following(feeds, user, after=99)) as news:
        (entry,) = await anext(news)
        assert (entry.id, json.loads(entry.text)["data"]["reason"]) == (2, "cursor_ahead")
        await write(user)
        assert await take(news, 1) == [3]


@db
async def test_a_reader_far_behind_reads_in_pieces(user: User) -> None:
    await write(user, 300)
    async with tailer(bell=True) as feeds, aclosing(following(feeds, user)) as news:
        assert len(await anext(news)) == 256
        assert await take(news, 44) == list(range(257, 301))


@db
async def test_silence_is_told_so_that_the_transport_can_fill_it(user: User) -> None:
    async with tailer(bell=True) as feeds:
        live = Live(principal_of(user))
        news = follow_feed(feeds=feeds, user_id=user.pk, after=0, heartbeat=0.05, live=live)
        async with aclosing(news):
            assert await anext(news) == []


@db
@pytest.mark.parametrize(("reason", "gets_the_rest"), [("restart", True), ("not_authenticated", False)])
async def test_a_restart_takes_nothing_away_and_a_lost_right_everything(
    user: User, reason: Any, gets_the_rest: bool
) -> None:
    await write(user)
    live = Live(principal_of(user))
    live.end(reason)
    async with tailer(bell=True) as feeds, asyncio.timeout(20):
        seen = [entries async for entries in following(feeds, user, live=live)]
    assert bool(seen) is gets_the_rest

"""A reader who stops in the middle while a long answer goes on, over a real log."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chatserver.accounts.models import User
from conversations.models import Run
from conversations.services.run_log import prune_logs
from streaming.eventlog.ring import Ring
from streaming.protocol.objects import Usage
from streaming.providers.base import Finish, Text
from streaming.transports.attach import Wish
from streaming.transports.beginning import beginning_of
from streaming.transports.falling_behind import MOST_EVENTS, Overtaking, TooFarBehind
from streaming.transports.follow import News, follow
from tests.support.bench import EngineBench, running

pytestmark = pytest.mark.django_db(transaction=True)
STOP = Finish(reason="stop", usage=Usage())


@asynccontextmanager
async def left_behind(
    user: User, settings: Any, *, words: int, wish: Wish
) -> AsyncIterator[tuple[EngineBench, list[News], AsyncIterator[News]]]:
    """A reader who has seen the first word of an answer, and stopped until all the others were in the log."""
    settings.FLUSH_INTERVAL, settings.FLUSH_BYTES = 0, 1  # each word an event
    gate = asyncio.Event()
    async with running(user, [[[Text("first ")], gate, *[[Text(f"{n} ")] for n in range(words)], [STOP]]]) as bench:
        run = await bench.send()
        await bench.until(run, "thread.message.delta")
        start = await beginning_of(bench.engine, run, after=0, wish=wish)
        following = follow(
            tailer=bench.engine.tailer,
            run_id=run.pk,
            after=start.after,
            heartbeat=60,
            overtake=Overtaking(bench.engine, run, start),
        )
        async with aclosing(following):
            before = [await anext(following)]
            gate.set()
            await bench.until(run, "thread.run.completed")
            yield bench, before, following


def text_of(news: list[News]) -> str:
    text = ""
    for each in news:
        if each.snapshot is not None:
            text = json.loads(each.snapshot.text)["data"]["messages"][-1]["content"]
        events = [json.loads(entry.text) for entry in each.entries]
        text += "".join(event["data"]["content"] for event in events if event["event"] == "thread.message.delta")
    return text


async def test_too_far_behind_one_snapshot_comes_instead_of_the_backlog(user: User, settings: Any) -> None:
    async with left_behind(user, settings, words=MOST_EVENTS + 50, wish="auto") as (_, before, following):
        async with asyncio.timeout(20):
            rest = [news async for news in following]
    assert [news.snapshot is not None for news in rest] == [True, *[False] * (len(rest) - 1)]
    snapshot = rest[0].snapshot
    assert snapshot is not None
    told = json.loads(snapshot.text)
    assert (told["id"], told["data"]["gap"], told["data"]["reason"]) == (snapshot.id, False, "far_behind")
    assert next(entry.id for news in rest for entry in news.entries) == snapshot.id + 1
    assert text_of([*before, *rest]) == "first " + "".join(f"{n} " for n in range(MOST_EVENTS + 50))


async def test_up_to_that_everything_comes(user: User, settings: Any) -> None:
    words = Ring()._most + 300
    async with left_behind(user, settings, words=words, wish="auto") as (_, before, following):
        async with asyncio.timeout(20):
            rest = [news async for news in following]
    ids = [entry.id for news in [*before, *rest] for entry in news.entries]
    assert ids == list(range(1, len(ids) + 1))
    assert text_of([*before, *rest]) == "first " + "".join(f"{n} " for n in range(words))


@pytest.mark.parametrize("wish", ["auto", "never"])
async def test_who_waits_until_the_rest_is_pruned_gets_a_snapshot_and_never_a_hole(
    user: User, settings: Any, wish: Wish
) -> None:
    words = Ring()._most + 300
    async with left_behind(user, settings, words=words, wish=wish) as (_, before, following):
        await sync_to_async(prune_logs)(kept=0, most=10)
        async with asyncio.timeout(20):
            if wish == "never":
                with pytest.raises(TooFarBehind):
                    [news async for news in following]
                return
            rest = [news async for news in following]
    assert rest[0].snapshot is not None
    told = json.loads(rest[0].snapshot.text)
    assert (told["data"]["gap"], told["data"]["reason"]) == (False, "log_pruned")
    assert [entry.id for news in rest for entry in news.entries] == [told["id"] + 1]
    assert text_of([*before, *rest]) == "first " + "".join(f"{n} " for n in range(words))


async def test_who_wants_no_snapshots_has_to_come_again(user: User, settings: Any) -> None:
    async with left_behind(user, settings, words=MOST_EVENTS + 50, wish="never") as (_, _, following):
        with pytest.raises(TooFarBehind):
            async with asyncio.timeout(20):
                [news async for news in following]


async def test_who_asks_for_a_long_history_gets_all_of_it(user: User, settings: Any) -> None:
    async with left_behind(user, settings, words=MOST_EVENTS + 50, wish="auto") as (bench, before, _):
        run = await bench.engine.offload(_run_of, before)
        start = await beginning_of(bench.engine, run, after=0, wish="auto")
        seen = follow(
            tailer=bench.engine.tailer,
            run_id=run.pk,
            after=0,
            heartbeat=60,
            overtake=Overtaking(bench.engine, run, start),
        )
        async with asyncio.timeout(20):
            entries = [entry async for news in seen for entry in news.entries]
    assert [entry.id for entry in entries] == list(range(1, start.head + 1))


def _run_of(news: list[News]) -> Run:
    return Run.objects.get(pk=json.loads(news[0].entries[0].text)["data"]["run_id"])

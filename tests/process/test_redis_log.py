"""Whole servers whose event log is Redis: what readers get, and what they get when Redis forgets, is away, or goes
together with the server. Proves F60, F61, F64 and I1 to I4 with this log.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.agreement import agreed_end
from tests.support.client import Client, Stream
from tests.support.nodes import beside
from tests.support.people import People
from tests.support.processes import QUICK_LEASES, MakeServer
from tests.support.redis_server import NEEDS_REDIS
from tests.support.server import ChatServer
from tests.support.services import OwnRedis

pytestmark = [pytest.mark.long, pytest.mark.process, pytest.mark.process_on_both, NEEDS_REDIS, pytest.mark.timeout(300)]
TOKENS = 200
MODEL = f"ollama/slow-{TOKENS}@50"  # four seconds
WHOLE = " ".join(f"t{i}" for i in range(TOKENS))
LONG = "ollama/slow-2000@50"


@pytest.fixture(scope="module")
def redis() -> Iterator[OwnRedis]:
    with OwnRedis() as redis:
        yield redis


@pytest.fixture(scope="module")
def server(_maker: MakeServer, redis: OwnRedis) -> Iterator[ChatServer]:
    with _maker(EVENT_LOG="redis", REDIS_URL=redis.url) as server:
        yield server


@pytest_asyncio.fixture
async def ada(server: ChatServer, people: People) -> AsyncIterator[Client]:
    async with Client(server.url, people["ada"].token) as client:
        yield client


async def says(stream: Stream, word: str, *, within: float = 30.0) -> None:
    async with asyncio.timeout(within):
        while word not in stream.transcript.content:
            assert await stream.next() is not None


async def test_both_transports_rows_and_log_tell_one_story(ada: Client, server: ChatServer) -> None:
    run = await ada.start(model="ollama/think-60@100")
    async with ada.events(run["id"]) as stream, ada.socket() as socket:
        await socket.subscribe(run["id"])
        over_sse, over_socket = await stream.until_end(), await socket.end_of(run["id"])
    await asyncio.sleep(0.3)  # the end comes to Redis after its readers
    history = agreed_end(server, run["id"], over_sse, over_socket)
    assert history.texts == over_sse.texts == over_socket.texts
    assert server.rows("SELECT * FROM conversations_runevent") == []
    resumed = await ada.replay(run["id"], after=7)
    assert resumed.texts == history.texts[7:]
    after_the_end = await ada.get(f"/api/v1/runs/{run['id']}/events?after={len(history.texts)}")
    assert after_the_end.status_code == 204


async def test_a_run_is_resumed_from_any_cut_on_the_other_transport(ada: Client, server: ChatServer) -> None:
    run = await ada.start(model=MODEL)
    async with ada.events(run["id"]) as stream:
        await says(stream, "t20 ")
        last = stream.transcript.last
    async with ada.socket() as socket:
        await socket.subscribe(run["id"], after=last)
        rest = await socket.end_of(run["id"], within=30)
    await asyncio.sleep(0.3)
    assert stream.transcript.texts + rest.texts == agreed_end(server, run["id"]).texts


async def test_a_reader_ahead_of_the_log_gets_a_snapshot_that_says_so(ada: Client, server: ChatServer) -> None:
    run = await ada.start(model=MODEL)
    async with ada.events(run["id"]) as first:
        await says(first, "t5 ")
        async with ada.events(run["id"], after=first.transcript.last + 500) as ahead:
            seen = await ahead.until_end(within=30)
    assert seen.snapshot is not None
    assert (seen.snapshot.data["gap"], seen.snapshot.data["reason"]) == (True, "cursor_ahead")
    assert seen.end.name == "thread.run.completed"


async def test_redis_started_empty_in_mid_run_loses_no_token_and_delays_none_by_a_second(
    ada: Client, server: ChatServer, redis: OwnRedis
) -> None:
    run = await ada.start(model=MODEL)
    async with ada.events(run["id"]) as stream, ada.socket() as socket:
        await socket.subscribe(run["id"])
        for word in ("t10 ", "t60 ", "t61 ", "t120 "):
            await says(stream, word)
            await asyncio.to_thread(redis.restart)
            back, seen = time.monotonic(), stream.transcript.last
            await stream.until(seen + 1)
            assert time.monotonic() - back < 1.5, "one second, and what a busy machine adds"
        over_sse, over_socket = await stream.until_end(within=30), await socket.end_of(run["id"], within=30)
    assert over_sse.content == over_socket.content == WHOLE
    assert over_sse.texts == over_socket.texts
    assert over_sse.snapshot is None
    late = await ada.replay(run["id"])
    assert late.snapshot is not None
    assert late.end.text == over_sse.end.text
    state = await ada.look(run["id"])
    assert state["messages"][-1]["content"] == WHOLE


async def test_redis_gone_for_five_seconds_is_a_pause_that_readers_are_told_of(
    ada: Client, server: ChatServer, redis: OwnRedis
) -> None:
    run = await ada.start(model=LONG)
    async with ada.events(run["id"]) as stream:
        await says(stream, "t10 ")
        redis.kill()
        try:
            async with asyncio.timeout(5):
                while not any(hint.data.get("phase") == "waiting_for_storage" for hint in stream.transcript.hints):
                    await stream.next()
            # What is not in the log is not needed for it: accounts, lists, the feed.
            assert (await ada.get("/api/v1/threads")).status_code == 200
            async with ada.stream("GET", "/api/v1/events?after=0", headers={}) as feed:
                assert feed.status == 200
            assert (await ada.get(f"/api/v1/runs/{run['id']}")).status_code == 503
            await asyncio.sleep(4)
        finally:
            redis.start()
        back, seen = time.monotonic(), stream.transcript.last
        await stream.until(seen + 1)
        assert time.monotonic() - back < 1.5
        assert (await ada.cancel(run["id"])).status_code in (200, 202)
        ended = await stream.until_end()
    assert ended.end.data["receipt"]["content_length"] == len(ended.content)
    words = ended.content.split()
    assert words == [f"t{i}" for i in range(len(words))]


async def test_where_redis_is_not_there_yet_questions_wait_for_it(make_server: MakeServer, people: People) -> None:
    with OwnRedis() as redis:
        redis.kill()
        server = make_server(EVENT_LOG="redis", REDIS_URL=redis.url).start()
        async with Client(server.url, people["ada"].token) as ada:
            run = await ada.start(model="ollama/slow-3@max")
            await asyncio.sleep(1)
            redis.start()
            assert (await ada.ended(run["id"], within=30))["run"]["status"] == "completed"


async def test_an_ended_run_whose_log_has_expired_is_told_by_its_rows(
    make_server: MakeServer, people: People, redis: OwnRedis
) -> None:
    server = make_server(EVENT_LOG="redis", REDIS_URL=redis.url, LOG_KEPT=1).start()
    async with Client(server.url, people["ada"].token) as ada:
        run = await ada.start(model="ollama/slow-30@100")
        head = (await ada.ended(run["id"]))["head"]
        await asyncio.sleep(2)
        late = await ada.replay(run["id"], after=3)
        assert late.snapshot is not None
        assert (late.snapshot.data["gap"], late.snapshot.data["reason"]) == (False, "log_pruned")
        assert late.snapshot.data["messages"][-1]["content"] == " ".join(f"t{i}" for i in range(30))
        assert (late.end.name, late.last) == ("thread.run.completed", head)
        assert (await ada.get(f"/api/v1/runs/{run['id']}/events?after={head}")).status_code == 204


@pytest.mark.parametrize("redis_too", [False, True])
async def test_whatever_was_seen_before_kill_9_stays_or_is_told_as_lost_and_the_run_ends(
    make_server: MakeServer, people: People, redis_too: bool
) -> None:
    with OwnRedis() as redis:
        server = make_server(EVENT_LOG="redis", REDIS_URL=redis.url, **QUICK_LEASES).start()
        async with Client(server.url, people["ada"].token) as ada:
            run = await ada.start(model=MODEL)
            async with ada.events(run["id"]) as stream:
                await says(stream, "t130 ")
                server.kill()
            seen = stream.transcript
            if redis_too:
                redis.restart()
            server.start()
            async with asyncio.timeout(60):
                while (state := await ada.look(run["id"]))["run"]["finished_at"] is None:
                    await asyncio.sleep(0.1)
            resumed = await ada.replay(run["id"], after=seen.last)
    said = state["messages"][-1]["content"]
    if redis_too:
        assert resumed.snapshot is not None
        assert resumed.snapshot.id > seen.last
        assert said.startswith(" ".join(f"t{i}" for i in range(50))), "the checkpoint is two seconds old at most"
    else:
        assert resumed.snapshot is None
        assert said.startswith(seen.content)
    assert resumed.ended


@pytest.mark.postgres
async def test_another_process_takes_the_run_over_and_its_readers_see_one_history(
    make_server: MakeServer, people: People, redis: OwnRedis
) -> None:
    server = make_server(EVENT_LOG="redis", REDIS_URL=redis.url).start()
    other = beside(server, RUN_CAPACITY=0).start()
    try:
        async with Client(server.url, people["ada"].token) as here, Client(other.url, people["ada"].token) as there:
            run = await here.start(model=MODEL)
            async with here.events(run["id"]) as own, there.events(run["id"]) as far, there.socket() as socket:
                await socket.subscribe(run["id"])
                seen: list[Any] = [await own.until_end(within=30), await far.until_end(within=30)]
                seen.append(await socket.end_of(run["id"], within=30))
    finally:
        other.kill()
    assert seen[0].texts == seen[1].texts == seen[2].texts
    assert seen[0].content == WHOLE
    agreed_end(server, run["id"], *seen)

"""Three servers on one database: whatever begins on one is seen, stopped and ended on the others.

Proves F48, F60, F61, F63 and I8 on several nodes. Where Redis is gone, everything is still right, and a second later.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.nodes import Nodes, beside, nodes
from tests.support.people import People
from tests.support.sign_in import Browser
from tests.support.standin import StandIn

__all__ = ["nodes"]
pytestmark = [pytest.mark.process, pytest.mark.postgres]
# Seconds that a busy machine may add to what the protocol promises.
SLACK = 1.0
AT_ONCE = 0.3


@pytest_asyncio.fixture
async def at(nodes: Nodes, people: People) -> AsyncIterator[list[Client]]:
    """Ada at each of the three."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Client(each.url, people["ada"].token)) for each in nodes.servers]


@pytest.fixture(params=["redis", "no redis"])
def with_redis(request: pytest.FixtureRequest, nodes: Nodes) -> Iterator[bool]:
    """Whether processes hear of each other. Without Redis they must find everything by themselves."""
    if request.param == "redis":
        yield True
        return
    nodes.redis.kill()
    try:
        yield False
    finally:
        nodes.redis.start()
        _wait_until_they_ring(nodes)


def _wait_until_they_ring(nodes: Nodes) -> None:
    deadline = time.monotonic() + 30
    for server in nodes.servers:
        while server.health()["status"] != "ready":
            assert time.monotonic() < deadline, server.log
            time.sleep(0.1)


async def test_what_one_begins_a_second_shows_and_a_third_stops(
    nodes: Nodes, at: list[Client], standin: StandIn, with_redis: bool
) -> None:
    a, b, c = at
    name = "slow-3000@100"
    run = await a.start(model=f"ollama/{name}")
    async with b.events(run["id"]) as stream, c.socket() as socket:
        await socket.subscribe(run["id"])
        await socket.until(lambda: "t30 " in socket.runs[run["id"]].content, within=20)
        while "t30 " not in stream.transcript.content:
            await stream.next()
        asked_at = time.time()
        assert (await c.cancel(run["id"])).status_code == 202
        over_sse = await stream.until_end(within=5)
        over_socket = await socket.end_of(run["id"], within=5)
    stats = await asyncio.to_thread(standin.wait_for, lambda stats: _left(stats, name, asked_at), timeout=5)
    assert _left(stats, name, asked_at)[0]["at"] - asked_at < (1.0 if with_redis else 2.0) + SLACK
    history = agreed_end(nodes.a, run["id"], over_sse, over_socket)
    assert history.end.name == "thread.run.cancelled"
    assert history.end.data["receipt"] == {"upstream_closed": True, "content_length": len(history.content)}
    assert history.texts == over_sse.texts == over_socket.texts
    holders = {server.url for server in nodes.servers if f'"run": "{run["id"]}"' in server.log}
    assert len(holders) == 1


async def test_a_reader_elsewhere_is_hardly_later_than_one_beside_the_writer(
    nodes: Nodes, at: list[Client], with_redis: bool
) -> None:
    a, b, _ = at
    run = await a.start(model="ollama/slow-100@25")
    here, there = await asyncio.gather(_arrivals(a, run["id"]), _arrivals(b, run["id"]))
    late = sorted(there[id] - here[id] for id in here.keys() & there.keys())
    assert len(late) > 40
    p95 = late[int(0.95 * len(late))]
    assert p95 < (0.5 if with_redis else 1.0 + SLACK), late
    if with_redis:
        assert late[len(late) // 2] < 0.2, late


async def _arrivals(client: Client, run_id: str) -> dict[int, float]:
    came: dict[int, float] = {}
    async with client.events(run_id) as stream:
        while (event := await stream.next()) is not None:
            if event.id is not None:
                came[event.id] = time.monotonic()
    assert stream.transcript.ended
    return came


async def test_what_is_sent_to_all_at_once_with_one_key_is_one_run(nodes: Nodes, at: list[Client]) -> None:
    a, *_ = at
    thread = await a.new_thread()
    body = {"content": "Hello", "model": "ollama/slow-5@max"}
    for number in range(5):
        headers = {"Idempotency-Key": f"on all nodes {number}"}
        path = f"/api/v1/threads/{thread}/runs"
        answers = await asyncio.gather(*(client.post(path, body, headers=headers) for client in at for _ in range(3)))
        assert {answer.status_code for answer in answers} == {202}, [answer.text for answer in answers]
        assert len({answer.json()["run"]["id"] for answer in answers}) == 1
        replayed = [answer.headers.get("Idempotency-Replayed") for answer in answers]
        assert replayed.count(None) == 1
        run_id = answers[0].json()["run"]["id"]
        await at[number % 3].ended(run_id)
        agreed_end(nodes.a, run_id)


async def test_the_feed_reaches_tabs_on_other_nodes(nodes: Nodes, at: list[Client], with_redis: bool) -> None:
    a, b, c = at
    cursor = (await b.get("/api/v1/threads")).json()["feed_cursor"]
    async with b.socket() as there, c.socket() as elsewhere:
        for socket in (there, elsewhere):
            assert (await socket.call("subscribe", {"feed": True, "after": cursor}))["event"] == "ack"
        thread = await a.new_thread()
        made_at = time.monotonic()

        def told(frame: dict[str, Any]) -> bool:
            return frame["event"] == "thread.created" and frame["data"]["thread"]["id"] == thread

        frames = await asyncio.gather(*(socket.frame(told, within=5) for socket in (there, elsewhere)))
        assert time.monotonic() - made_at < (0.5 if with_redis else 1.0) + SLACK
        assert frames[0]["feed"] == frames[1]["feed"] > cursor


async def test_a_right_that_is_lost_on_one_ends_connections_on_another(
    nodes: Nodes, at: list[Client], people: People, with_redis: bool
) -> None:
    a, *_ = at
    made = (await a.post("/api/v1/tokens", {"name": "for this test"})).json()
    run = await a.start(model="ollama/gated-4")
    async with Browser(nodes.a.url) as here:
        session = await here.sign_in("ada")
        with_cookie = {"Cookie": f"session={session}", "Origin": nodes.b.origin}
        async with (
            Client(nodes.b.url, made["token"]) as by_token,
            by_token.socket() as token_socket,
            Client(nodes.b.url, None).socket(headers=with_cookie) as session_socket,
        ):
            await session_socket.ready()
            async with by_token.events(run["id"]) as stream:
                await stream.until(4)
                assert (await a.http.delete(f"/api/v1/tokens/{made['id']}")).status_code == 204
                await here.fill_in("/accounts/logout/")
                lost_at = time.monotonic()
                await asyncio.gather(token_socket.closed(within=10), session_socket.closed(within=10), stream.rest())
            assert time.monotonic() - lost_at < (1.0 if with_redis else 3.0) + SLACK
            assert (token_socket.close_code, session_socket.close_code) == (4401, 4401)
    assert (await a.cancel(run["id"])).status_code in (200, 202)


async def test_a_ring_saves_the_second_of_the_poll_for_stops_the_feed_and_rights(
    nodes: Nodes, at: list[Client]
) -> None:
    """Each eight times, of which five must be faster than a poll that comes at any moment of its second."""
    a, b, _ = at
    assert sorted(await _stops(a, b))[4] < AT_ONCE
    assert sorted(await _news(a, b))[4] < AT_ONCE
    assert sorted(await _rights(nodes, a))[4] < AT_ONCE


async def _stops(a: Client, b: Client) -> list[float]:
    took = []
    for _ in range(8):
        run = await a.start(model="ollama/hang-mid")
        async with a.events(run["id"]) as stream:
            while "three" not in stream.transcript.content:
                await stream.next()
            begun = time.monotonic()
            await b.cancel(run["id"])
            await stream.until_end()
            took.append(time.monotonic() - begun)
    return took


async def _news(a: Client, b: Client) -> list[float]:
    took = []
    cursor = (await b.get("/api/v1/threads")).json()["feed_cursor"]
    async with b.socket() as socket:
        assert (await socket.call("subscribe", {"feed": True, "after": cursor}))["event"] == "ack"
        for _ in range(8):
            thread = await a.new_thread()
            begun = time.monotonic()
            await socket.frame(lambda frame, thread=thread: thread in str(frame), within=5)  # type: ignore[misc]
            took.append(time.monotonic() - begun)
            await asyncio.sleep(0.15)
    return took


async def _rights(nodes: Nodes, a: Client) -> list[float]:
    took = []
    for _ in range(8):
        made = (await a.post("/api/v1/tokens", {"name": "for this test"})).json()
        async with Client(nodes.b.url, made["token"]).socket() as socket:
            begun = time.monotonic()
            await a.http.delete(f"/api/v1/tokens/{made['id']}")
            await socket.closed()
            took.append(time.monotonic() - begun)
    return took


async def test_who_interrupts_on_another_node_is_answered_there(nodes: Nodes, at: list[Client]) -> None:
    a, b, c = at
    run = await a.start(model="ollama/hang-mid")
    async with c.events(run["id"]) as stream:
        while "three" not in stream.transcript.content:
            await stream.next()
        body = {"content": "No, this", "model": "ollama/slow-3@max", "if_busy": "interrupt"}
        following = await b.post(f"/api/v1/threads/{run['thread_id']}/runs", body)
        assert following.status_code == 202, following.text
        seen = await stream.until_end()
    assert agreed_end(nodes.a, run["id"], seen).end.name == "thread.run.cancelled"
    ended = await c.ended(following.json()["run"]["id"])
    assert ended["run"]["status"] == "completed"


async def test_what_a_full_node_cannot_take_another_takes(nodes: Nodes, people: People) -> None:
    """The one that was asked works on nothing; whoever has room hears of it, or finds it."""
    with beside(nodes.a, RUN_CAPACITY=0) as web:
        async with Client(web.url, people["ada"].token) as ada:
            waited = []
            for _ in range(8):
                run = await ada.start(model="ollama/slow-2@max")
                waited.append((await ada.ended(run["id"]))["run"]["timing"]["queue_ms"])
            assert sorted(waited)[4] < 1000 * (1.0 + SLACK), waited


async def test_redis_that_restarts_in_mid_run_costs_no_event_and_a_warning_each(nodes: Nodes, at: list[Client]) -> None:
    a, b, _ = at
    run = await a.start(model="ollama/slow-100@25")
    before = [server.log.count("Redis is away") for server in nodes.servers]
    async with b.events(run["id"]) as stream:
        while "t20 " not in stream.transcript.content:
            await stream.next()
        await asyncio.to_thread(nodes.redis.kill)
        pauses, last = [], time.monotonic()
        while "t60 " not in stream.transcript.content:
            await stream.next()
            pauses.append(time.monotonic() - last)
            last = time.monotonic()
        assert {server.is_ready() for server in nodes.servers} == {True}
        await asyncio.to_thread(nodes.redis.start)
        seen = await stream.until_end(within=20)
    assert max(pauses) < 1.2 + SLACK, pauses
    assert agreed_end(nodes.a, run["id"], seen).texts == seen.texts
    await asyncio.to_thread(_wait_until_they_ring, nodes)
    assert [server.log.count("Redis is away") for server in nodes.servers] == [count + 1 for count in before]


async def test_a_node_without_redis_is_ready_and_says_that_it_is_degraded(nodes: Nodes) -> None:
    assert nodes.b.health() == {"status": "ready", "database": True, "accepting": True, "redis": True}
    nodes.redis.kill()
    try:
        async with asyncio.timeout(20):
            while nodes.b.health()["status"] != "degraded":
                await asyncio.sleep(0.1)
        assert nodes.b.health() == {"status": "degraded", "database": True, "accepting": True, "redis": False}
        assert nodes.b.is_ready()
    finally:
        nodes.redis.start()
        await asyncio.to_thread(_wait_until_they_ring, nodes)


def _left(stats: dict[str, Any], model: str, since: float) -> list[dict[str, Any]]:
    return [each for each in stats["aborted"] if each["model"] == model and each["at"] >= since]

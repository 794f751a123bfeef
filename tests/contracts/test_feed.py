"""The feed over both transports, on both servers: the same events, byte for byte, from wherever a reader left off."""

import asyncio
import json
from typing import Any

import pytest

from tests.support.client import Client, Stream
from tests.support.server import ChatServer, key
from tests.support.socket_client import Socket
from tests.support.sse import Message
from tests.support.standin import StandIn

pytestmark = pytest.mark.process
QUICK_ANSWER = "ollama/slow-20@100"


@pytest.fixture(params=["uvicorn", "daphne"])
def server(request: pytest.FixtureRequest) -> ChatServer:
    found: ChatServer = request.getfixturevalue(f"{request.param}_server")
    return found


def stored(server: ChatServer, user_id: str, *, after: int) -> list[str]:
    sql = "SELECT number, text FROM conversations_feedevent WHERE user_id = ? AND number > ? ORDER BY number"
    found = server.rows(sql, key(user_id), after)
    assert [row["number"] for row in found] == list(range(after + 1, after + 1 + len(found)))
    return [row["text"] for row in found]


async def cursor(client: Client) -> int:
    return int((await client.get("/api/v1/threads")).json()["feed_cursor"])


async def messages(stream: Stream, until: int, *, within: float = 20.0) -> list[Message]:
    """What the feed's stream dispatches, up to number ``until``."""
    seen: list[Message] = []
    async with asyncio.timeout(within):
        while not seen or int(seen[-1].id or 0) < until:
            seen += stream.parser.feed(await anext(stream._chunks))
    return seen


def told(socket: Socket) -> list[dict[str, Any]]:
    return [frame for frame in socket.frames if "feed" in frame]


async def change_much(client: Client) -> None:
    """One of every event that a feed can have today, but the rarer ends of a run."""
    thread = (await client.post("/api/v1/threads", {"title": "Mine"})).json()["id"]
    await client.http.patch(f"/api/v1/threads/{thread}", json={"title": "A better name", "pinned": True})
    run = await client.start(thread=thread, model=QUICK_ANSWER)
    await client.ended(run["id"])
    await client.http.delete(f"/api/v1/threads/{thread}")


NAMES = [
    "thread.created",
    "thread.updated",
    "thread.updated",
    "thread.run.created",
    "thread.run.completed",
    "thread.deleted",
]


async def test_both_transports_tell_the_same_live_and_afterwards(ada: Client, server: ChatServer) -> None:
    me = (await ada.get("/api/v1/me")).json()["id"]
    after = await cursor(ada)
    async with ada.socket() as socket, ada.stream("GET", f"/api/v1/events?after={after}") as stream:
        assert (await socket.call("subscribe", {"feed": True, "after": after}))["data"] == {"head": after}
        await change_much(ada)
        live = await messages(stream, after + len(NAMES))
        await socket.until(lambda: len(told(socket)) == len(NAMES), within=20)
        over_socket = told(socket)
        texts = stored(server, me, after=after)
        assert [message.data for message in live] == texts
        assert over_socket == [json.loads(text) for text in texts]
        assert [(message.event, int(message.id or 0)) for message in live] == [
            (name, after + number) for number, name in enumerate(NAMES, start=1)
        ]
        assert [frame["feed"] for frame in over_socket] == list(range(after + 1, after + 1 + len(NAMES)))
        assert not any("id" in frame for frame in over_socket)
    async with ada.stream("GET", "/api/v1/events?after=0&names=0", headers={"Last-Event-ID": str(after + 2)}) as stream:
        again = await messages(stream, after + len(NAMES))
    assert [message.data for message in again] == texts[2:]
    assert {message.event for message in again} == {"message"}
    assert (stream.status, stream.parser.comments[0], stream.parser.retries) == (200, "open", [2000])
    headers = stream.response.headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store, no-transform", "no")


async def test_a_socket_leaves_the_feed_and_comes_back_where_it_was(ada: Client, server: ChatServer) -> None:
    after = await cursor(ada)
    async with ada.socket() as socket:
        await socket.call("subscribe", {"feed": True, "after": after})
        await ada.post("/api/v1/threads", {"title": "One"})
        await socket.until(lambda: len(told(socket)) == 1, within=20)
        assert (await socket.call("unsubscribe", {"feed": True}))["data"] == {}
        await ada.post("/api/v1/threads", {"title": "Two"})
        await ada.post("/api/v1/threads", {"title": "Three"})
        assert (await socket.call("ping", {"t": 1}))["event"] == "pong"
        assert len(told(socket)) == 1
        assert (await socket.call("subscribe", {"feed": True, "after": after + 1}))["data"] == {"head": after + 3}
        await socket.until(lambda: len(told(socket)) == 3, within=20)
        assert [frame["data"]["thread"]["title"] for frame in told(socket)] == ["One", "Two", "Three"]
        for data in ({"feed": True, "run_id": "r"}, {"feed": False}, {"feed": True, "snapshot": True}):
            refused = await socket.call("subscribe", data)
            assert (refused["event"], refused["data"]["code"]) == ("error", "invalid_request")


async def test_a_feed_that_cannot_go_on_from_the_cursor_says_so(bob: Client, server: ChatServer) -> None:
    me = (await bob.get("/api/v1/me")).json()["id"]
    for title in ("One", "Two", "Three"):
        await bob.post("/api/v1/threads", {"title": title})
    head = await cursor(bob)
    gone = "DELETE FROM conversations_feedevent WHERE user_id = ? AND number < ?"
    assert server.spoil(gone, key(me), head) > 0
    async with bob.socket() as socket:
        for number, reason in ((head + 7, "cursor_ahead"), (10**18 - 1, "cursor_ahead"), (head - 2, "feed_pruned")):
            async with bob.stream("GET", f"/api/v1/events?after={number}") as stream:
                (reset,) = await messages(stream, head)
            envelope = {"event": "feed.reset", "feed": head, "data": {"head": head, "reason": reason}}
            assert (reset.event, reset.id, json.loads(reset.data)) == ("feed.reset", str(head), envelope)
            socket.frames.clear()
            await socket.call("subscribe", {"feed": True, "after": number})
            await socket.until(lambda: len(told(socket)) == 1, within=20)
            assert told(socket) == [envelope]
        await bob.post("/api/v1/threads", {"title": "Four"})
        await socket.until(lambda: len(told(socket)) == 2, within=20)
        assert told(socket)[1]["feed"] == head + 1
        socket.frames.clear()
        await socket.call("subscribe", {"feed": True, "after": 10**30})  # more than a database's number
        await socket.until(lambda: len(told(socket)) == 1, within=20)
        assert told(socket)[0]["data"]["reason"] == "cursor_ahead"


async def test_nobody_hears_of_others_and_no_door_stands_open(ada: Client, bob: Client, server: ChatServer) -> None:
    after = await cursor(bob)
    async with bob.stream("GET", f"/api/v1/events?after={after}") as stream, bob.socket() as socket:
        await socket.call("subscribe", {"feed": True, "after": after})
        await ada.post("/api/v1/threads", {"title": "Ada's own"})
        await bob.post("/api/v1/threads", {"title": "Bob's own"})
        (only,) = await messages(stream, after + 1)
        assert json.loads(only.data)["data"]["thread"]["title"] == "Bob's own"
        await socket.until(lambda: bool(told(socket)), within=20)
        assert told(socket) == [json.loads(only.data)]
    for wrong in ("-1", "x", "1.5", "9" * 19):
        assert (await bob.get(f"/api/v1/events?after={wrong}")).status_code == 400
        assert (await bob.get("/api/v1/events", headers={"Last-Event-ID": wrong})).status_code == 400
    assert (await bob.post("/api/v1/events")).status_code == 405
    async with Client(server.url, None) as nobody:
        assert (await nobody.get("/api/v1/events")).status_code == 401
    writer = (await ada.post("/api/v1/tokens", {"name": "w", "scopes": ["chat"]})).json()
    async with Client(server.url, writer["token"]) as weak, weak.socket() as socket:
        assert (await weak.get("/api/v1/events")).status_code == 403
        assert (await socket.call("subscribe", {"feed": True}))["data"]["code"] == "forbidden"


async def test_silence_is_filled_and_a_lost_right_ends_the_feed(ada: Client, server: ChatServer) -> None:
    token = (await ada.post("/api/v1/tokens", {"name": "t"})).json()
    async with Client(server.url, token["token"]) as guest:
        after = await cursor(guest)
        async with guest.stream("GET", f"/api/v1/events?after={after}") as stream, guest.socket() as socket:
            await socket.call("subscribe", {"feed": True, "after": after})
            async with asyncio.timeout(20):
                while stream.parser.comments.count("heartbeat") < 2:
                    assert stream.parser.feed(await anext(stream._chunks)) == []
                assert (await ada.http.delete(f"/api/v1/tokens/{token['id']}")).status_code == 204
                await stream.rest(within=20)
            assert await socket.closed(within=20) == 4401
            await ada.post("/api/v1/threads", {})
            assert stream.messages == []
            assert told(socket) == []


async def test_a_feed_is_one_of_the_streams_that_a_user_may_have_and_ends_with_the_server(
    make_server: Any, people: Any, standin: StandIn
) -> None:
    with make_server(MAX_STREAMS=2) as server:
        async with Client(server.url, people["ada"].token) as ada:
            after = await cursor(ada)
            async with ada.stream("GET", f"/api/v1/events?after={after}") as stream, ada.socket() as socket:
                await socket.call("subscribe", {"feed": True, "after": after})
                refused = await ada.get("/api/v1/events")
                assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_streams")
                await messages_opened(stream)
                server.terminate()
                await stream.rest(within=20)
                assert stream.parser.retries[0] == 2000
                assert 500 <= stream.parser.retries[1] <= 5000
                assert await socket.closed(within=20) == 4012


async def messages_opened(stream: Stream) -> None:
    async with asyncio.timeout(20):
        while not stream.parser.comments:
            stream.parser.feed(await anext(stream._chunks))

"""A stream that breaks inside the server ends cleanly and says so, on every server, and so does the next one."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.client import Client
from tests.support.processes import MakeServer
from tests.support.server import ChatServer, key
from tests.support.standin import StandIn
from tests.support.transcript import Event

pytestmark = pytest.mark.process


@pytest.fixture(params=["uvicorn", "daphne"], scope="module")
def server(request: pytest.FixtureRequest, _maker: MakeServer) -> Iterator[ChatServer]:
    with _maker(kind=request.param, HEARTBEAT=0.3) as server:
        yield server


async def spoilt_run(client: Client, server: ChatServer) -> str:
    """A run that has ended, and in whose log a text has become bytes: whoever reads on from there stumbles."""
    run = await client.start(model="ollama/slow-3@max")
    await client.ended(run["id"])
    sql = "UPDATE conversations_runevent SET text = x'00ff' WHERE run_id = ? AND seq = 5"
    assert server.spoil(sql, key(run["id"])) == 1
    identifier: str = run["id"]
    return identifier


async def test_a_stream_that_breaks_says_so_and_ends_again_and_again(ada: Client, server: ChatServer) -> None:
    run_id = await spoilt_run(ada, server)
    for _ in range(3):
        async with ada.events(run_id) as stream:
            seen = await stream.rest(within=5)
        assert seen.last == 0
        assert_told(seen.hints[-1], server)
    await assert_serves(ada)


async def test_a_socket_whose_subscription_breaks_says_so_and_is_closed(ada: Client, server: ChatServer) -> None:
    run_id = await spoilt_run(ada, server)
    for _ in range(3):
        async with ada.socket() as socket:
            await socket.subscribe(run_id)
            assert await socket.closed(within=5) == 4012
        assert_told(socket.runs[run_id].hints[-1], server)
    await assert_serves(ada)


async def test_a_thread_that_is_deleted_in_mid_answer_stops_its_run_and_tells_its_readers(
    ada: Client, server: ChatServer, standin: StandIn
) -> None:
    run = await ada.start(model="ollama/gated-4")
    async with ada.socket() as socket:
        await socket.subscribe(run["id"])
        async with ada.events(run["id"]) as stream:
            await socket.until(lambda: "t3" in socket.runs[run["id"]].content, within=5)
            deleted = await ada.http.delete(f"/api/v1/threads/{run['thread_id']}?now=1")
            assert deleted.status_code == 204
            over_sse = await stream.until_end(within=5)
        over_socket = await socket.end_of(run["id"], within=5)
    assert over_sse.texts == over_socket.texts
    assert over_sse.end.name == "thread.run.cancelled"
    await asyncio.to_thread(standin.wait_for, lambda stats: stats["active"] == 0, timeout=2)
    for path in (
        f"/api/v1/runs/{run['id']}",
        f"/api/v1/runs/{run['id']}/events",
        f"/api/v1/threads/{run['thread_id']}",
    ):
        assert (await ada.get(path)).status_code == 404
    for table in ("run", "runevent", "runlease", "message"):
        column = {"run": "id", "message": "thread_id"}.get(table, "run_id")
        value = run["thread_id"] if table == "message" else run["id"]
        assert server.rows(f"SELECT 1 FROM conversations_{table} WHERE {column} = ?", key(value)) == []
    await assert_serves(ada)


async def test_a_run_that_vanishes_without_an_end_leaves_nobody_waiting(
    ada: Client, server: ChatServer, standin: StandIn
) -> None:
    run = await ada.start(model="ollama/gated-4")
    async with ada.socket() as socket:
        await socket.subscribe(run["id"])
        async with ada.events(run["id"]) as stream:
            await socket.until(lambda: "t3" in socket.runs[run["id"]].content, within=5)
            for table in ("runevent", "runlease"):
                server.spoil(f"DELETE FROM conversations_{table} WHERE run_id = ?", key(run["id"]))
            over_sse = await stream.rest(within=10)
        await socket.until(lambda: "error" in [hint.name for hint in socket.runs[run["id"]].hints], within=10)
    standin.release()
    assert not over_sse.ended
    for hint in (over_sse.hints[-1], socket.runs[run["id"]].hints[-1]):
        assert (hint.name, hint.id, hint.data["code"]) == ("error", None, "not_found")
        assert not hint.data["retryable"]
    await assert_serves(ada)


def assert_told(hint: Event, server: ChatServer) -> None:
    assert (hint.name, hint.id) == ("error", None)
    assert (hint.data["code"], hint.data["retryable"]) == ("internal_error", True)
    assert hint.data["log_id"] in server.log
    assert "Traceback" not in hint.text


async def assert_serves(client: Client) -> None:
    run = await client.start(model="ollama/slow-3@max")
    async with client.socket() as socket:
        await socket.subscribe(run["id"])
        assert (await client.replay(run["id"])).texts == (await socket.end_of(run["id"])).texts

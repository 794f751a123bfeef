"""Who waits for a whole answer holds a stream's place: limited like one, and let go with its rights."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.client import Client
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = pytest.mark.process
ENDLESS = "ollama/gated-4"


@pytest.fixture(scope="module")
def server(_maker: MakeServer) -> Iterator[ChatServer]:
    with _maker(MAX_STREAMS=1) as server:
        yield server


@pytest.fixture
async def ada(server: ChatServer, people: People, standin: StandIn) -> AsyncIterator[Client]:
    async with Client(server.url, people["ada"].token) as ada:
        yield ada
    await asyncio.to_thread(standin.release)


async def runs_of(server: ChatServer) -> int:
    return len(server.rows("SELECT id FROM conversations_run"))


async def test_a_refused_stream_or_wait_leaves_no_run_behind(ada: Client, server: ChatServer) -> None:
    run = await ada.start(model=ENDLESS)
    async with ada.events(run["id"]) as stream:
        await stream.until(4)
        before = await runs_of(server)
        body = {"message": "Hello", "model": "ollama/slow-3@max"}
        for path in ("/api/chat", "/api/chat/stream"):
            answer = await ada.post(path, body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_streams")
            assert int(answer.headers["Retry-After"]) > 0
        polled = await ada.get(f"/api/v1/runs/{run['id']}?wait=5&after=99")
        assert polled.status_code == 429
        assert await runs_of(server) == before
    await ada.cancel(run["id"])
    await ada.ended(run["id"])
    assert (await ada.post("/api/chat", body)).status_code == 200


async def test_without_a_wait_the_events_that_are_there_come_at_once(ada: Client) -> None:
    run = await ada.start(model="ollama/slow-5@max")
    whole = await ada.ended(run["id"])
    polled = (await ada.get(f"/api/v1/runs/{run['id']}?wait=0&after=2")).json()
    assert [event["id"] for event in polled["events"]] == list(range(3, whole["head"] + 1))


async def test_a_revoked_token_gets_no_answer_it_was_waiting_for(
    ada: Client, server: ChatServer, people: People
) -> None:
    token = (await ada.post("/api/v1/tokens", {"name": "short-lived", "scopes": ["read", "chat"]})).json()
    async with Client(server.url, token["token"]) as program:
        waiting = asyncio.create_task(program.post("/api/chat", {"message": "Hello", "model": ENDLESS}))
        while not server.active_runs():
            await asyncio.sleep(0.02)
        assert (await ada.http.delete(f"/api/v1/tokens/{token['id']}")).status_code == 204
        answer = await asyncio.wait_for(waiting, timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not_authenticated")
    assert server.active_runs() == 1  # the run belongs to nobody's connection and goes on
    run = server.rows("SELECT id FROM conversations_run WHERE status = 'in_progress'")[0]["id"]
    await ada.cancel(run)

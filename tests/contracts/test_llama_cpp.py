"""A real llama.cpp server behind a real server process, seen from a client's end."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import LlamaCpp

pytestmark = [pytest.mark.process, pytest.mark.live]
MODEL = "openai/tiny"


@pytest.fixture(scope="module")
def llama() -> Iterator[LlamaCpp]:
    with LlamaCpp() as llama:
        yield llama


@pytest.fixture(scope="module")
def server(_maker: MakeServer, llama: LlamaCpp) -> Iterator[ChatServer]:
    with _maker(OPENAI_BASE_URL=llama.base_url, RETRY_DELAY=0.05) as server:
        yield server


@pytest_asyncio.fixture
async def ada(server: ChatServer, people: People) -> AsyncIterator[Client]:
    async with Client(server.url, people["ada"].token) as client:
        yield client


async def test_its_model_is_offered_with_its_context(ada: Client) -> None:
    listed = (await ada.get("/api/v1/models")).json()
    (model,) = (model for model in listed["results"] if model["provider"] == "openai")
    assert (model["name"], model["context_length"]) == (MODEL, 8192)


async def test_an_answer_streams_stops_at_its_length_and_is_kept_as_it_was_seen(
    ada: Client, server: ChatServer
) -> None:
    wish = {"temperature": 0, "seed": 1, "max_tokens": 200}
    thread = (await ada.post("/api/v1/threads", {"model": MODEL, "parameters": wish})).json()["id"]
    texts = []
    for _ in range(2):
        async with ada.stream("POST", f"/api/v1/threads/{thread}/runs", body={"content": "hello"}) as stream:
            seen = await stream.until_end(within=20)
        run = seen.end.data["run"]
        assert (run["status"], seen.end.data["reason"]) == ("incomplete", "max_tokens")
        assert run["usage"]["completion_tokens"] == 200
        assert agreed_end(server, run["id"], seen).texts == seen.texts
        texts.append(seen.content)
    assert all(texts)


async def test_what_is_too_long_for_it_is_told_so_and_the_next_question_is_answered(ada: Client) -> None:
    refused = await ada.post("/api/chat", {"message": "x" * 9000, "model": MODEL})
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "context_exceeded")
    thread = await ada.new_thread()
    asked = {"content": "hello", "model": MODEL, "parameters": {"max_tokens": 5}}
    answered = (await ada.post(f"/api/v1/threads/{thread}/runs?wait=true", asked)).json()
    assert (answered["run"]["status"], answered["run"]["usage"]["completion_tokens"]) == ("incomplete", 5)


async def test_a_stop_closes_its_connection_and_frees_its_slot(
    ada: Client, server: ChatServer, llama: LlamaCpp
) -> None:
    run = await ada.start(model=MODEL)
    async with ada.events(run["id"]) as stream:
        while len(stream.transcript.content) < 50:
            assert await stream.next() is not None
        assert llama.busy
        await ada.cancel(run["id"])
        seen = await stream.until_end(within=10)
    assert seen.end.name == "thread.run.cancelled"
    assert agreed_end(server, run["id"], seen).end.data["receipt"]["upstream_closed"] is True
    llama.wait_until_free()

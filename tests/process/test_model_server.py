"""A model server that is not there, comes, and goes again, while the chat server runs."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = pytest.mark.process
DELAY = 0.2


@pytest.fixture(scope="module")
def late() -> Iterator[StandIn]:
    """A stand-in that is not there yet; it has its address."""
    late = StandIn().start()
    late.stop()
    yield late
    late.stop()


@pytest.fixture(scope="module")
def server(_maker: MakeServer, late: StandIn) -> Iterator[ChatServer]:
    with _maker(OLLAMA_BASE_URL=late.base_url, RETRY_DELAY=DELAY) as server:
        yield server


async def test_it_cannot_be_reached_after_three_tries(ada: Client, server: ChatServer, late: StandIn) -> None:
    late.stop()
    begun = time.monotonic()
    answer = await ada.post("/api/chat", {"message": "Hello", "model": "ollama/llama3.2:latest"})
    took = time.monotonic() - begun
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["retryable"]) == (502, "upstream_unreachable", True)
    assert took >= DELAY * (1 + 2)  # the waits grow; how long a busy machine takes besides is not the point
    history = agreed_end(server, error["details"]["run_id"])
    assert history.one("error").data["code"] == "upstream_unreachable"
    assert history.content == ""
    question = server.message_row(history.end.data["run"]["user_message_id"])
    assert question["content"] == "Hello"


async def test_it_is_missed_by_name_found_by_itself_and_missed_again(ada: Client, late: StandIn) -> None:
    late.stop()
    gone = await _models(ada)
    assert _ollama(gone)["ok"] is False
    assert late.base_url in _ollama(gone)["message"]
    assert {model["provider"] for model in gone["results"]} == {"demo"}
    assert gone["default"] == "demo/demo"

    late.start()
    listed = await _models_when(ada, ok=True)
    assert "ollama/qwen3:8b" in {model["name"] for model in listed["results"]}
    assert (_ollama(listed)["message"], listed["default"]) == ("", "ollama/qwen3:8b")
    answer = await ada.post("/api/chat", {"message": "Hello", "model": "ollama/slow-3@max"})
    assert (answer.status_code, answer.json()["message"]["content"]) == (200, "t0 t1 t2")

    late.stop()
    again = await _models_when(ada, ok=False)
    assert {model["provider"] for model in again["results"]} == {"demo"}
    answer = await ada.post("/api/chat", {"message": "Hello"})
    assert (answer.status_code, answer.json()["message"]["model"]) == (200, "demo/demo")


async def _models(client: Client) -> dict[str, Any]:
    answer = await client.get("/api/v1/models")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def _models_when(client: Client, *, ok: bool) -> dict[str, Any]:
    for _ in range(150):
        found = await _models(client)
        if _ollama(found)["ok"] is ok:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"after 15 s the model server is still {'gone' if ok else 'there'}")


def _ollama(models: dict[str, Any]) -> dict[str, Any]:
    return next(server for server in models["servers"] if server["name"] == "ollama")

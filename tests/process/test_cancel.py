"""Stopping an answer: at any moment, over either transport, with a receipt for what was stopped."""

import asyncio
import time
from typing import Any

import pytest

from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = [pytest.mark.process, pytest.mark.process_on_both]
MOMENTS = ["ollama/hang-headers", "ollama/hang-first", "ollama/hang-mid", "ollama/slow-2000@200"]


@pytest.fixture(params=["http", "socket"])
def transport(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def cancel(client: Client, run_id: str, transport: str) -> dict[str, Any]:
    """What the answer to a cancel says: the status of the run then."""
    if transport == "http":
        answer = await client.cancel(run_id)
        assert answer.status_code in (200, 202)
        return {"status": answer.json()["run"]["status"], "code": answer.status_code}
    async with client.socket() as socket:
        reply = await socket.call("run.cancel", {"run_id": run_id})
        assert reply["event"] == "ack"
        assert set(reply["data"]) == {"status", "head"}
        return {"status": reply["data"]["status"], "code": None}


@pytest.mark.parametrize("model", MOMENTS)
async def test_a_stop_closes_the_model_server_and_stores_what_was_delivered(
    ada: Client, server: ChatServer, standin: StandIn, transport: str, model: str
) -> None:
    body = {"message": "Hello", "model": model}
    async with ada.stream("POST", "/api/chat/stream", body=body) as stream:
        seen = await stream.until(4)
        run_id = seen.events[0].data["run_id"]
        await _asked(standin, model)
        if "hang-mid" in model or "slow" in model:
            while "three" not in seen.content and "t30" not in seen.content:
                await stream.next()
        asked_at = time.time()
        assert (await cancel(ada, run_id, transport))["status"] in ("cancelling", "cancelled")
        await stream.until_end(within=3)
    name = model.removeprefix("ollama/")
    stats = await asyncio.to_thread(standin.wait_for, lambda stats: _left(stats, name, asked_at), timeout=2)
    assert _left(stats, name, asked_at)[0]["at"] - asked_at < 1.0
    assert seen.end.name == "thread.run.cancelled"
    assert seen.end.data["receipt"] == {"upstream_closed": True, "content_length": len(seen.content)}
    assert seen.one("thread.run.cancelling").data["by"] == "user"
    assert seen.one("thread.message.incomplete").data["reason"] == "cancelled"
    history = agreed_end(server, run_id, seen)
    assert history.texts == seen.texts


async def test_stopping_again_changes_nothing(ada: Client, server: ChatServer, transport: str) -> None:
    run = await ada.start(model="ollama/hang-mid")
    first = await cancel(ada, run["id"], transport)
    await ada.ended(run["id"])
    before = server.run_row(run["id"])
    second = await cancel(ada, run["id"], transport)
    assert first["status"] in ("cancelling", "cancelled")
    assert second == {"status": "cancelled", "code": 200 if transport == "http" else None}
    assert server.run_row(run["id"]) == before
    agreed_end(server, run["id"])


async def test_many_stops_at_once_are_one(ada: Client, server: ChatServer) -> None:
    run = await ada.start(model="ollama/hang-mid")
    answers = await asyncio.gather(*(ada.cancel(run["id"]) for _ in range(10)))
    assert {answer.status_code for answer in answers} <= {200, 202}
    await ada.ended(run["id"])
    history = agreed_end(server, run["id"])
    assert history.names.count("thread.run.cancelling") <= 1
    assert history.end.name == "thread.run.cancelled"


async def test_a_run_that_has_ended_stays_as_it_ended(ada: Client, server: ChatServer, transport: str) -> None:
    run = await ada.start(model="ollama/slow-3@max")
    await ada.ended(run["id"])
    before, logged = server.run_row(run["id"]), server.logged(run["id"])
    assert await cancel(ada, run["id"], transport) == {
        "status": "completed",
        "code": 200 if transport == "http" else None,
    }
    assert (server.run_row(run["id"]), server.logged(run["id"])) == (before, logged)


async def test_a_stop_races_the_end_and_one_of_them_wins(ada: Client, server: ChatServer) -> None:
    for delay in (0.0, 0.02, 0.05, 0.08, 0.1, 0.12, 0.15, 0.2):
        run = await ada.start(model="ollama/slow-10@100")
        await asyncio.sleep(delay)
        said = (await ada.cancel(run["id"])).json()["run"]["status"]
        ended = (await ada.ended(run["id"]))["run"]["status"]
        assert (said, ended) in {
            ("cancelling", "cancelled"),
            ("cancelling", "completed"),
            ("cancelled", "cancelled"),
            ("completed", "completed"),
        }
        agreed_end(server, run["id"])


async def test_a_queued_run_is_stopped_at_once(make_server: Any, people: Any) -> None:
    server = make_server(RUN_CAPACITY=1).start()
    async with Client(server.url, people["ada"].token) as ada:
        running = await ada.start(model="ollama/hang-first")
        queued = await ada.start(model="ollama/slow-3@max")
        async with ada.events(queued["id"]) as stream:
            await stream.until(3)
            answer = await ada.cancel(queued["id"])
            seen = await stream.until_end(within=2)
        assert (answer.status_code, answer.json()["run"]["status"]) == (200, "cancelled")
        assert seen.names[3:] == ["thread.message.incomplete", "thread.run.cancelled"]
        await ada.cancel(running["id"])
        await ada.ended(running["id"])
        for run in (running, queued):
            agreed_end(server, run["id"])


async def test_after_a_stop_the_thread_goes_on(ada: Client, server: ChatServer) -> None:
    run = await ada.start(model="ollama/hang-mid")
    await ada.cancel(run["id"])
    await ada.ended(run["id"])
    following = await ada.start("And now?", model="ollama/slow-3@max", thread=run["thread_id"])
    assert (await ada.ended(following["id"]))["run"]["status"] == "completed"


def _left(stats: dict[str, Any], model: str, since: float) -> list[dict[str, Any]]:
    """Requests for ``model`` that were left by their client since then."""
    return [each for each in stats["aborted"] if each["model"] == model and each["at"] >= since]


async def _asked(standin: StandIn, model: str) -> None:
    """Wait until the request is at the model server."""
    name = model.removeprefix("ollama/")
    await asyncio.to_thread(
        standin.wait_for,
        lambda stats: stats["active"] > 0 and stats["bodies"][-1]["model"] == name,
        timeout=3,
    )


async def test_a_stop_takes_no_body_but_an_empty_one(ada: Client) -> None:
    run = await ada.start(model="ollama/slow-2000@200")
    path = f"/api/v1/runs/{run['id']}/cancel"
    for body, code in (({"reason": "late"}, "unknown_field"), ([1], "invalid_request"), ("now", "invalid_request")):
        answer = await ada.post(path, body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert (await ada.look(run["id"]))["run"]["status"] in ("queued", "in_progress")
    assert (await ada.post(path, {})).status_code in (200, 202)

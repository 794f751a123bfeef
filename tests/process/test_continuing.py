"""``continue`` over both transports, with model servers that go on and such that do not."""

from typing import Any

import pytest

from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = pytest.mark.process
HALF = " ".join(f"t{n}" for n in range(12))
WHOLE = " ".join(f"t{n}" for n in range(24))


async def stopped_halfway(client: Client, model: str) -> dict[str, Any]:
    """A run that was stopped after twelve of 24 tokens."""
    run = await client.start(model=model)
    async with client.events(run["id"]) as stream:
        while "t11" not in stream.transcript.content:
            assert await stream.next() is not None
        await client.cancel(run["id"])
        await stream.until_end()
    return run


async def test_a_model_that_goes_on_completes_the_same_answer(
    ada: Client, server: ChatServer, standin: StandIn
) -> None:
    first = await stopped_halfway(ada, "ollama/goes-on-12")
    path, body = f"/api/v1/threads/{first['thread_id']}/runs", {"continue": first["assistant_message_id"]}
    async with ada.stream("POST", path, body=body) as stream:
        seen = await stream.until_end()
    assert seen.names[:2] == ["thread.run.created", "thread.message.created"]
    created = seen.events[1].data["message"]
    assert (created["id"], created["content"], created["status"]) == (
        first["assistant_message_id"],
        HALF,
        "in_progress",
    )
    assert created["parts"] == [{"text": [0, len(HALF)]}]
    assert HALF + seen.content == WHOLE == seen.one("thread.message.completed").data["message"]["content"]
    agreed_end(server, seen.events[0].data["run_id"], seen)
    agreed_end(server, first["id"])
    asked = standin.stats()["bodies"][-1]
    assert (asked["messages"][-1], asked["think"]) == ({"role": "assistant", "content": HALF}, False)
    shown = (await ada.get(f"/api/v1/threads/{first['thread_id']}/messages")).json()
    assert [(one["role"], one["content"]) for one in shown["results"]] == [("user", "Hello"), ("assistant", WHOLE)]
    again = await ada.post(path, body)
    assert (again.status_code, again.json()["error"]["details"]) == (400, {"field": "continue"})


@pytest.mark.parametrize(
    ("way", "status", "text"),
    [("repeats", "completed", WHOLE), ("begins-again", "incomplete", HALF), ("refuses", "incomplete", HALF)],
)
async def test_nothing_is_lost_or_doubled_whatever_the_model_server_makes_of_it(
    ada: Client, server: ChatServer, way: str, status: str, text: str
) -> None:
    first = await stopped_halfway(ada, f"ollama/{way}-12")
    async with ada.socket() as socket:
        frame = {"thread_id": first["thread_id"], "continue": first["assistant_message_id"], "idempotency_key": way}
        reply = (await socket.call("message.send", frame))["data"]
        seen = await socket.end_of(reply["run_id"])
        again = (await socket.call("message.send", {**frame, "subscribe": False}))["data"]
    assert (again["run_id"], again["replayed"], reply["user_message_id"]) == (
        reply["run_id"],
        True,
        first["user_message_id"],
    )
    assert seen.end.name == f"thread.run.{status}"
    agreed_end(server, reply["run_id"], seen)
    if status == "incomplete":
        assert seen.end.data["reason"] == "interrupted"
        assert seen.one("thread.message.incomplete").data["reason"] == "interrupted"
    found = await ada.look(reply["run_id"])
    assert found["run"]["reason"] == (None if status == "completed" else "interrupted")
    message = found["messages"][-1]
    assert (message["content"], message["status"]) == (text, status)

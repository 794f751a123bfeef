"""``if_busy: interrupt`` over both transports."""

import pytest

from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.server import ChatServer

pytestmark = pytest.mark.process
NEXT = {"content": "Stop that.", "model": "ollama/slow-3@max", "if_busy": "interrupt"}


async def half_written(client: Client) -> dict[str, str]:
    """A run that has written twelve tokens and will write no more by itself."""
    run = await client.start(model="ollama/gated-12")
    async with client.events(run["id"]) as stream:
        while "t11" not in stream.transcript.content:
            assert await stream.next() is not None
    return run


async def test_a_post_stops_what_is_written_and_is_answered_then(ada: Client, server: ChatServer) -> None:
    first = await half_written(ada)
    async with ada.stream("POST", f"/api/v1/threads/{first['thread_id']}/runs", body=NEXT) as stream:
        seen = await stream.until_end()
    assert seen.content == "t0 t1 t2"
    stopped = agreed_end(server, first["id"])
    assert (stopped.end.name, stopped.content) == ("thread.run.cancelled", " ".join(f"t{n}" for n in range(12)))
    assert stopped.one("thread.run.cancelling").data["reason"] == "interrupted"
    assert stopped.end.data["receipt"]["upstream_closed"] is True
    question = seen.events[1].data["message"]
    assert question["parent_id"] == first["assistant_message_id"]
    agreed_end(server, seen.events[0].data["run_id"], seen)


async def test_a_socket_sees_the_one_end_and_the_other_begin(ada: Client, server: ChatServer) -> None:
    first = await half_written(ada)
    async with ada.socket() as socket:
        await socket.subscribe(first["id"])
        frame = {**NEXT, "thread_id": first["thread_id"], "idempotency_key": "interrupting"}
        reply = (await socket.call("message.send", frame))["data"]
        assert (await socket.end_of(first["id"])).end.name == "thread.run.cancelled"
        agreed_end(server, reply["run_id"], await socket.end_of(reply["run_id"]))
        again = (await socket.call("message.send", {**frame, "subscribe": False}))["data"]
        assert (again["run_id"], again["replayed"]) == (reply["run_id"], True)
        assert (await socket.call("ping", {"t": 1}))["event"] == "pong"

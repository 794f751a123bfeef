"""A run that asks a person, on a real server: it outlives the server, and what was approved happens once."""

import asyncio

import pytest

from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer

pytestmark = pytest.mark.process
ASKS = "ollama/guarded-tools"


def journal(server: ChatServer) -> list[str]:
    file = server.data_dir / "journal.txt"
    return file.read_text().splitlines() if file.exists() else []


async def test_a_parked_run_outlives_its_server_and_goes_on_once_it_is_approved(
    make_server: MakeServer, people: People
) -> None:
    server = make_server(DJANGO_SETTINGS_MODULE="tests.support.guarded_settings").start()
    async with Client(server.url, people["ada"].token) as ada, Client(server.url, people["bob"].token) as bob:
        run_id = (await ada.start("remember the milk", model=ASKS))["id"]
        async with ada.events(run_id) as stream:
            while "thread.run.requires_action" not in stream.transcript.names:
                assert await stream.next() is not None
        (asked,) = stream.transcript.events[-1].data["approvals"]
        address = f"/api/v1/runs/{run_id}/approvals/{asked['approval_id']}"
        assert asked["arguments"] == {"line": "remember the milk"}
        assert (await bob.post(address, {"decision": "approve"})).status_code == 404

        server.restart()
        assert (await ada.look(run_id))["approvals"] == [asked]
        assert journal(server) == []
        async with ada.socket() as socket:
            ack = await socket.subscribe(run_id, after=stream.transcript.last)
            assert ack["status"] == "requires_action"
            data = {"run_id": run_id, "approval_id": asked["approval_id"], "decision": "approve"}
            posts = [ada.post(address, {"decision": "approve"}) for _ in range(3)]
            reply, *answers = await asyncio.gather(socket.call("tool.approve", data), *posts)
            assert (reply["event"], {answer.status_code for answer in answers}) == ("ack", {200})
            seen = await socket.end_of(run_id)
        assert (await ada.post(address, {"decision": "deny"})).status_code == 409
    history = agreed_end(server, run_id, stream.transcript)
    assert history.texts == stream.transcript.texts + seen.texts
    assert history.content == "The result is Written: remember the milk."
    assert journal(server) == ["remember the milk"]

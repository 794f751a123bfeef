"""Two versions at once, and a loop that stands still.

Proves F71 and F73. The positive control is in each the whole answer.
"""

import asyncio
import json
import signal
import time

import pytest

from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer, key

pytestmark = pytest.mark.process


# --- two versions at once -------------------------------------------------------------------------------------------


async def test_what_a_newer_version_wrote_is_passed_on_as_it_is_and_disturbs_no_snapshot(
    make_server: MakeServer, people: People
) -> None:
    """An unknown event, and known ones with unknown fields, in the log of a run."""
    server = make_server().start()
    async with Client(server.url, people["ada"].token) as ada:
        run = await ada.start(model="ollama/slow-30@max")
        await ada.ended(run["id"])
    await asyncio.to_thread(server.kill)
    texts = server.logged(run["id"])
    deltas = [number for number, text in enumerate(texts, start=1) if "thread.message.delta" in text]
    created = next(number for number, text in enumerate(texts, start=1) if "thread.message.created" in text)
    begun = next(number for number, text in enumerate(texts, start=1) if "thread.run.in_progress" in text)
    mood = {"run_id": run["id"], "mood": ["calm", {"deep": None}]}
    _rewrite(server, run["id"], begun, {"event": "thread.run.mood", "id": begun, "data": mood})
    for number in (created, deltas[0]):
        envelope = json.loads(texts[number - 1])
        envelope["data"]["of_a_later_version"] = {"any": ["thing"]}
        if "message" in envelope["data"]:
            envelope["data"]["message"]["of_a_later_version"] = 1
        _rewrite(server, run["id"], number, envelope)

    await asyncio.to_thread(server.start)
    async with Client(server.url, people["ada"].token) as ada:
        over_sse = await ada.replay(run["id"])
        async with ada.socket() as socket:
            await socket.subscribe(run["id"])
            over_socket = await socket.end_of(run["id"])
        state = await ada.look(run["id"])
        snapshot = await ada.replay(run["id"], query="snapshot=1")
    assert over_sse.texts == over_socket.texts == server.logged(run["id"])
    assert over_sse.names[begun - 1] == "thread.run.mood"
    assert over_sse.content == " ".join(f"t{number}" for number in range(30))
    assert state["messages"][-1]["content"] == over_sse.content
    assert snapshot.snapshot is not None
    assert snapshot.snapshot.data["messages"][-1]["content"] == over_sse.content


def _rewrite(server: ChatServer, run_id: str, number: int, envelope: object) -> None:
    text = json.dumps(envelope, separators=(",", ":"))
    sql = "UPDATE conversations_runevent SET text = ? WHERE run_id = ? AND seq = ?"
    assert server.spoil(sql, text, key(run_id), number) == 1


async def test_a_run_that_a_newer_version_has_begun_is_gone_on_with_by_this_one(
    make_server: MakeServer, people: People
) -> None:
    server = make_server().start()
    async with Client(server.url, people["ada"].token) as ada:
        run = await ada.start(model="ollama/goes-on-60@30")
        async with ada.events(run["id"]) as stream:
            while "t9 " not in stream.transcript.content:
                assert await stream.next() is not None
            await asyncio.to_thread(server.kill)
    _rewrite(server, run["id"], 2, {"event": "thread.run.mood", "id": 2, "data": {"run_id": run["id"], "mood": "new"}})
    await asyncio.to_thread(server.start)
    async with Client(server.url, people["ada"].token) as ada:
        state = await ada.ended(run["id"], within=30)
        assert (state["run"]["status"], state["run"]["attempt"]) == ("completed", 2)
        seen = await ada.replay(run["id"], query="snapshot=0")
        assert seen.content == state["messages"][-1]["content"]
        assert seen.content == " ".join(f"t{number}" for number in range(60))


# --- a loop that stands still ---------------------------------------------------------------------------------------


async def test_a_loop_that_stands_still_is_told_and_loses_neither_lease_nor_event(
    make_server: MakeServer, people: People
) -> None:
    server = make_server(DJANGO_SETTINGS_MODULE="tests.support.blocked_settings").start()
    async with Client(server.url, people["ada"].token) as ada, ada.socket() as socket:
        run = await ada.start(model="ollama/slow-300@40")
        await socket.subscribe(run["id"])
        async with ada.events(run["id"]) as stream:
            while "t10 " not in stream.transcript.content:
                assert await stream.next() is not None
            stood_at = time.monotonic()
            server.terminate(signal.SIGUSR2)
            seen = await stream.until_end(within=40)
            comments = len(stream.parser.comments)
        over_socket = await socket.end_of(run["id"])
    assert time.monotonic() - stood_at > 5
    history = agreed_end(server, run["id"], seen, over_socket)
    assert (history.end.name, history.end.data["run"]["attempt"]) == ("thread.run.completed", 1)
    assert history.content == " ".join(f"t{number}" for number in range(300))
    assert comments > 0
    told = [line for line in server.log.splitlines() if "the event loop does not answer" in line]
    assert len(told) == 1
    assert "hold_the_loop_up" in told[0]
    assert "the event loop answers again" in server.log

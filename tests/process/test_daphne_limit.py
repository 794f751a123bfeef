"""Daphne's limit of messages is for what comes in: what goes out arrives whole, with the flag of docs/operation.md and
without.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.client import Client
from tests.support.processes import MakeServer
from tests.support.server import ChatServer

pytestmark = pytest.mark.process
ECHO = "ollama/echo-5000"
LONG = "語" * 51_000  # six bytes each, as everything goes out in ASCII
FLAG = ("--websocket-max-message-size", "65536")


@pytest.fixture(scope="module", params=[FLAG, ()], ids=["64 KiB", "as it is"])
def server(request: pytest.FixtureRequest, _maker: MakeServer) -> Iterator[ChatServer]:
    with _maker(kind="daphne", arguments=request.param) as server:
        yield server


async def ended(ada: Client, **asked: Any) -> str:
    run = await ada.start(**asked)
    await ada.ended(run["id"], within=60)
    return str(run["id"])


async def test_an_end_event_of_300_kb_arrives_as_over_sse(ada: Client) -> None:
    run_id = await ended(ada, message=LONG, model=ECHO)
    plain = await ada.replay(run_id, after=3, query="snapshot=0")
    assert max(map(len, plain.texts)) > 300_000
    async with ada.socket() as socket:
        await socket.subscribe(run_id, after=3, snapshot=False)
        assert (await socket.end_of(run_id, within=30)).texts == plain.texts


async def test_an_end_event_of_300_kb_arrives_live(ada: Client) -> None:
    async with ada.socket() as socket:
        run = await ada.start(LONG, model=ECHO)
        await socket.subscribe(run["id"], snapshot=False)
        live = await socket.end_of(run["id"], within=60)
    assert live.texts == (await ada.replay(run["id"], query="snapshot=0")).texts


async def test_a_snapshot_of_2_mb_arrives_as_over_sse(ada: Client) -> None:
    run_id = await ended(ada, message="語" * 175_000, model=ECHO)
    plain = await ada.replay(run_id, query="snapshot=1")
    assert plain.snapshot is not None
    assert len(plain.snapshot.text) > 2_000_000
    async with ada.socket() as socket:
        assert (await socket.subscribe(run_id, snapshot=True))["mode"] == "snapshot"
        told = await socket.end_of(run_id, within=30)
    assert told.snapshot == plain.snapshot
    assert told.texts == plain.texts


async def test_a_ping_of_just_under_64_kib_is_answered(ada: Client) -> None:
    frame = {"event": "ping", "req": 99, "data": {"t": ""}}
    t = "x" * (65_536 - len(json.dumps(frame)))
    async with ada.socket() as socket:
        assert (await socket.call("ping", {"t": t}, req=99))["data"]["t"] == t
        assert (await socket.call("ping"))["event"] == "pong"


async def test_a_frame_beyond_64_kib_is_cut_off_or_refused(ada: Client, server: ChatServer) -> None:
    async with ada.socket() as socket:
        await socket.call("ping", {"t": "x" * 65_000})  # the limit is in force again after what was sent
        await socket.send(json.dumps({"event": "ping", "req": "big", "data": {"t": "x" * 70_000}}))
        if server.arguments == FLAG:
            assert await socket.closed() == 1006
        else:
            refused = await socket.frame(lambda frame: frame["event"] == "error")
            assert refused["data"]["code"] == "body_too_large"
            assert (await socket.call("ping"))["event"] == "pong"

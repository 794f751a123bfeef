"""Readers who stop reading, clients that flood: memory stays bounded, nobody else notices, nothing is lost.

Proves F37, F38 and A75. The log that is read is many times what a server may keep for a reader; the positive control is
the reader who reads, and in the end has every byte of it.
"""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress

import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.client import Client
from tests.support.long_logs import run_with_a_long_log
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import StandIn
from tests.support.stuck import StuckReader
from tests.support.transcript import Transcript

pytestmark = pytest.mark.process
MEBIBYTE = 1024 * 1024
STUCK = 4  # of each kind
LOG = 24 * MEBIBYTE


@pytest.fixture(params=["uvicorn", "daphne"], scope="module")
def server(request: pytest.FixtureRequest, _maker: MakeServer) -> Iterator[ChatServer]:
    with _maker(kind=request.param, WRITE_TIMEOUT=1.5) as server:
        yield server


async def read_on(client: Client, run_id: str, transcript: Transcript) -> Transcript:
    """All the rest, resuming as often as the server rotates the stream; it is one history without gap or repeat."""
    for _ in range(100):
        async with client.events(run_id, after=transcript.last, query="snapshot=0") as stream:
            stream.transcript = transcript
            await stream.rest(within=60)
        if transcript.ended:
            return transcript
    raise AssertionError("no end")


async def test_readers_who_stop_cost_little_and_disturb_nobody_and_come_back_to_everything(
    server: ChatServer, people: People
) -> None:
    token = people["ada"].token
    async with Client(server.url, token) as ada, AsyncExitStack() as stack:
        long = await run_with_a_long_log(ada, server, events=LOG // (256 * 1024), size=255 * 1024)
        path = f"/api/v1/runs/{long}/events"
        whole = await read_on(ada, long, Transcript())
        before, sockets = server.memory(), server.open_sockets()
        readers = [await stack.enter_async_context(StuckReader(server.port)) for _ in range(2 * STUCK)]
        live = await ada.start(model="ollama/slow-40@20")
        async with ada.socket() as socket:
            await socket.subscribe(live["id"])
            for reader in readers[:STUCK]:
                await reader.stream(path, token)
            for reader in readers[STUCK:]:
                await reader.follow(long, token)
            most = before
            while not socket.runs[live["id"]].ended:
                most = max(most, server.memory())
                await asyncio.sleep(0.05)
            neighbour = await socket.end_of(live["id"])
        quiet = time.monotonic() + 3
        while time.monotonic() < quiet:
            if server.memory() > most + MEBIBYTE:
                most, quiet = server.memory(), time.monotonic() + 3
            await asyncio.sleep(0.05)
        assert neighbour.content == " ".join(f"t{i}" for i in range(40))
        # Unbounded it would be eight times 24 MiB; Daphne keeps 4 MiB for each until it gives them up.
        assert most - before < 80 * MEBIBYTE, (most - before) / MEBIBYTE
        if server.kind == "uvicorn":  # Daphne's connections are Twisted's, which takes a minute longer
            async with asyncio.timeout(30):
                while server.open_sockets() > sockets + 1:
                    await asyncio.sleep(0.1)
            assert "Traceback" not in server.log
        seen = Transcript()
        for text in re.findall(r"^data: (.*)$", readers[0].read.decode(), re.M)[:-1]:
            seen.take(text)
        assert (await read_on(ada, long, seen)).texts == whole.texts == server.logged(long)


async def test_a_stream_is_rotated_by_time_and_loses_nothing_by_it(
    make_server: MakeServer, people: People, standin: StandIn
) -> None:
    server = make_server(STREAM_ROTATION=1).start()
    async with Client(server.url, people["ada"].token) as ada:
        run = await ada.start(model="ollama/gated-4")
        seen = Transcript()
        for _ in range(2):
            async with ada.events(run["id"], after=seen.last) as stream:
                stream.transcript = seen
                await stream.rest(within=15)
            assert not seen.ended
            assert stream.parser.retries == [2000]
        assert "t3" in seen.content
        standin.release()
        assert (await read_on(ada, run["id"], seen)).texts == server.logged(run["id"])


async def test_a_socket_that_never_acknowledges_is_rotated_and_one_that_does_is_not(
    server: ChatServer, people: People
) -> None:
    async with Client(server.url, people["ada"].token) as ada:
        long = await run_with_a_long_log(ada, server, events=24, size=255 * 1024)
        seen, rotations = Transcript(), 0
        for _ in range(10):
            async with ada.socket() as silent:
                silent.runs[long] = seen
                await silent.call("subscribe", {"run_id": long, "after": seen.last, "snapshot": False})
                await silent.until(lambda: seen.ended or silent.close_code is not None, within=20)
                if seen.ended:
                    break
                assert await silent.closed() == 4001
                rotations += 1
        assert rotations == 1  # of 6 MiB
        assert seen.texts == server.logged(long)
        async with ada.socket() as telling:
            await telling.subscribe(long)
            transcript = telling.runs[long]
            while not transcript.ended:
                last = transcript.last
                await telling.send(json.dumps({"event": "flow.ack", "data": {"run_id": long, "id": last}}))
                await telling.until(lambda last=last: transcript.last > last, within=20)  # type: ignore[misc]
            assert telling.close_code is None
        assert transcript.texts == server.logged(long)


async def test_no_more_than_the_credit_is_sent_and_all_of_it_when_it_is_renewed(
    server: ChatServer, people: People
) -> None:
    async with Client(server.url, people["ada"].token) as ada:
        long = await run_with_a_long_log(ada, server, events=2300, size=10)
        async with ada.socket() as socket:

            async def acknowledge(id: int) -> None:
                await socket.send(json.dumps({"event": "flow.ack", "data": {"run_id": long, "id": id}}))

            head = (await socket.subscribe(long))["head"]
            transcript = await socket.reaches(long, 1)
            await acknowledge(1)
            await socket.call("ping")
            before = transcript.last  # sent before anything was acknowledged
            acknowledged = 1
            while not transcript.ended:
                await socket.reaches(long, min(head, acknowledged + 1000))
                for _ in range(3):
                    await socket.call("ping")
                assert transcript.last <= max(acknowledged + 1000, before)
                for useless in (0, acknowledged, 1):
                    await acknowledge(useless)
                assert (await socket.call("ping"))["data"]["heads"].get(long, head) == head
                assert transcript.last <= max(acknowledged + 1000, before)
                acknowledged = transcript.last
                await acknowledge(acknowledged)
            assert transcript.texts == server.logged(long)
            await acknowledge(head)  # of a run that is over: it means nothing
            assert (await socket.call("ping"))["event"] == "pong"
            assert not [frame for frame in socket.frames if frame["event"] == "error"]
            assert len(socket.frames) == len([f for f in socket.frames if "req" in f]) + head + 1  # no reply to an ack


async def test_what_was_not_sent_cannot_be_acknowledged(server: ChatServer, people: People) -> None:
    async with Client(server.url, people["ada"].token) as ada:
        run = await ada.start(model="ollama/gated-4")
        async with ada.socket() as socket:
            await socket.subscribe(run["id"])
            await socket.until(lambda: "t3" in socket.runs[run["id"]].content, within=20)
            last = socket.runs[run["id"]].last
            for frame in ({"run_id": run["id"], "id": last + 1}, {"run_id": run["id"]}, {"run_id": 5, "id": 1}):
                assert (await socket.call("flow.ack", frame))["data"]["code"] == "invalid_request"
            await socket.send(json.dumps({"event": "flow.ack", "req": "no", "data": {"run_id": run["id"], "id": last}}))
            await ada.cancel(run["id"])
            await socket.end_of(run["id"])
            assert not [frame for frame in socket.frames if frame.get("req") == "no"]


@pytest.mark.parametrize(("frame", "times"), [(64_000, 640), (40, 20_000)])
async def test_a_flood_closes_its_socket_and_nothing_else(
    server: ChatServer, people: People, frame: int, times: int
) -> None:
    text = json.dumps({"event": "ping", "data": {"t": "x" * frame}})
    async with Client(server.url, people["ada"].token) as ada, ada.socket() as other, ada.socket() as flooding:
        before = server.memory()
        with suppress(ConnectionClosed):
            for _ in range(times):
                await flooding.send(text)
        # Daphne cuts who does not answer its close frame within a second; a client that is busy sending may miss it.
        assert await flooding.closed() in ((4029,) if server.kind == "uvicorn" else (4029, 1006))
        assert "a client sends more than one may" in server.log
        assert server.memory() - before < 24 * MEBIBYTE
        for number in range(200):  # one after the other is no flood
            reply = await other.call("ping", {"t": number})
            assert reply["data"]["t"] == number

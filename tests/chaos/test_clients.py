"""Clients that are gone without a word, and wires that keep quiet about it.

Proves F37. The positive control: a neighbour on a sound connection is not given up, and whoever was comes back to
everything.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.chaos.proxy import Wires
from tests.support.client import Client
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = pytest.mark.process
LONELY = "127.0.0.77"


@pytest.fixture(scope="module")
def server(_maker: MakeServer) -> Iterator[ChatServer]:
    with _maker(CLIENT_DEAD_AFTER=1.5, WRITE_TIMEOUT=1.5, STREAM_ROTATION=4) as server:
        yield server


async def freed(server: ChatServer, sockets: int, *, within: float) -> float:
    """Seconds until the server has no more open sockets than that."""
    begun = time.monotonic()
    async with asyncio.timeout(within):
        while server.open_sockets() > sockets:
            await asyncio.sleep(0.05)
    return time.monotonic() - begun


async def test_connections_that_a_wire_has_forgotten_are_given_up(
    server: ChatServer, people: People, standin: StandIn
) -> None:
    token = people["ada"].token
    with Wires() as wires:
        wire = wires.to(server.port)
        async with Client(server.url, token) as near, near.socket() as neighbour:
            run = await near.start(model="ollama/gated-4")
            await neighbour.subscribe(run["id"])
            await neighbour.until(lambda: "t3" in neighbour.runs[run["id"]].content, within=10)
            before = server.open_sockets()
            async with Client(wire.url, token) as far, far.events(run["id"]) as stream:
                await stream.until(4)
                async with far.socket() as lost:
                    await lost.subscribe(run["id"])
                    await lost.reaches(run["id"], 4)
                    assert server.open_sockets() >= before + 2
                    wire.forget()
                    # By pings on the socket; the stream, which has none, when it is rotated.
                    await freed(server, before + 1, within=15)
                    lost.cut()
            assert neighbour.close_code is None
            await asyncio.to_thread(standin.release)
            whole = await neighbour.end_of(run["id"])
            async with Client(wire.url, token) as again:
                assert (await again.replay(run["id"], after=4)).texts == whole.texts[4:]
            assert whole.texts == server.logged(run["id"])


@contextmanager
def nobody_at(address: str) -> Iterator[None]:
    """What is sent there is swallowed on the way, and nothing comes back, as from a laptop that sleeps."""
    route = ["ip", "route", "add", "blackhole", address, "table", "local"]
    subprocess.run(route, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run([*route[:2], "del", *route[3:]], check=True, capture_output=True)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="only root may change a route, with ip")
async def test_a_client_that_sleeps_is_freed_by_the_kernel_s_time_out(
    server: ChatServer, people: People, standin: StandIn
) -> None:
    async with Client(server.url, people["ada"].token) as ada:
        run = await ada.start(model="ollama/gated-4")
        async with ada.events(run["id"]) as stream:
            while "t3" not in stream.transcript.content:  # the model's connection counts too, so it has to be there
                assert await stream.next() is not None
            before = server.open_sockets()
            with socket.create_connection(("127.0.0.1", server.port), source_address=(LONELY, 0)) as sleeping:
                head = f"GET /api/v1/runs/{run['id']}/events HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
                sleeping.sendall(f"{head}Authorization: Bearer {people['ada'].token}\r\n\r\n".encode())
                assert b"data: " in await asyncio.to_thread(read_until, sleeping, b"data: ")
                assert server.open_sockets() == before + 1
                with nobody_at(LONELY):
                    took = await freed(server, before, within=15)
            assert took < 12
            await asyncio.to_thread(standin.release)
            await ada.ended(run["id"])


def read_until(connection: socket.socket, wanted: bytes) -> bytes:
    connection.settimeout(10)
    read = b""
    while wanted not in read:
        read += connection.recv(65_536)
    return read

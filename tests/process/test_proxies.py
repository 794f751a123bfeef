"""Two nodes behind the proxies that we ship a configuration for: nothing is held back, nothing is lost with a node."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.support.agreement import agreed_end
from tests.support.balancers import Caddy, Nginx, Proxy, needs
from tests.support.client import Client
from tests.support.nodes import beside
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.services import OwnRedis
from tests.support.socket_client import Socket
from tests.support.transcript import Transcript

pytestmark = [pytest.mark.long, pytest.mark.process, pytest.mark.postgres]


@pytest.fixture(scope="module")
def pair(_maker: MakeServer) -> Iterator[tuple[ChatServer, ChatServer]]:
    """The second one answers nothing itself: so it may be killed without a run in it."""
    with OwnRedis() as redis:
        options: dict[str, Any] = {"REDIS_URL": redis.url, "TRUSTED_PROXIES": "127.0.0.1", "ALLOWED_HOSTS": "*"}
        first = _maker(**options)
        second = beside(first, RUN_CAPACITY=0)
        with first, second:
            yield first, second


@pytest.fixture(params=[pytest.param(Nginx, marks=needs("nginx")), pytest.param(Caddy, marks=needs("caddy"))])
def proxy(request: pytest.FixtureRequest, pair: tuple[ChatServer, ChatServer], tmp_path: Path) -> Iterator[Proxy]:
    made: type[Proxy] = request.param
    with made(tmp_path, [server.port for server in pair]) as proxy:
        yield proxy


async def test_words_come_one_by_one_over_both_transports(
    proxy: Proxy, pair: tuple[ChatServer, ChatServer], people: People
) -> None:
    async with Client(proxy.url, people["ada"].token) as ada:
        run = await ada.start(model="ollama/slow-40@20")
        readers = [_moments_by_sse(ada, run["id"]) for _ in range(4)]
        readers += [_moments_by_socket(ada, run["id"]) for _ in range(4)]
        for moments in await asyncio.gather(*readers):
            gaps = [later - earlier for earlier, later in pairwise(moments)]
            assert len(moments) >= 20
            assert moments[-1] - moments[0] > 1.2, "it came at once"
            assert max(gaps) < 1.5, "it was held back"
    agreed_end(pair[0], run["id"])


async def _moments_by_sse(client: Client, run_id: str) -> list[float]:
    moments = []
    async with client.events(run_id) as stream:
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        assert stream.response.headers.get("content-encoding", "identity") == "identity"
        while (event := await stream.next()) is not None:
            if event.name == "thread.message.delta":
                moments.append(time.monotonic())
    assert stream.transcript.ended
    return moments


async def _moments_by_socket(client: Client, run_id: str) -> list[float]:
    moments: list[float] = []
    async with client.socket() as socket:
        await socket.subscribe(run_id)
        transcript = socket.runs[run_id]
        while not transcript.ended:
            seen = len(transcript.events)
            await socket.until(lambda seen=seen: len(transcript.events) > seen, within=10)  # type: ignore[misc]
            if transcript.events[-1].name == "thread.message.delta":
                moments.append(time.monotonic())
    return moments


async def test_a_silent_stream_outlives_every_time_out_of_the_proxy_for_senders(proxy: Proxy, people: People) -> None:
    async with Client(proxy.url, people["ada"].token) as ada, ada.socket() as socket:
        run = await ada.start(model="ollama/hang-mid")
        await socket.subscribe(run["id"])
        async with ada.events(run["id"]) as stream:
            while "three" not in stream.transcript.content:
                await stream.next()
            await asyncio.sleep(12)
            await ada.cancel(run["id"])
            assert (await stream.until_end()).end.name == "thread.run.cancelled"
            assert (await socket.end_of(run["id"])).end.name == "thread.run.cancelled"


async def test_what_is_too_long_is_refused_before_it_reaches_a_node(proxy: Proxy, people: People) -> None:
    async with Client(proxy.url, people["ada"].token) as ada:
        try:
            answer = await ada.post("/api/chat", {"message": "x" * 5_000_000}, timeout=30)
        except httpx.TransportError:
            return  # it was cut while it was being sent
    assert answer.status_code == 413


async def test_whoever_reads_through_a_node_that_is_killed_goes_on_through_the_other(
    proxy: Proxy, pair: tuple[ChatServer, ChatServer], people: People
) -> None:
    first, second = pair
    broken: list[str] = []
    try:
        async with Client(proxy.url, people["ada"].token) as ada:
            run = await ada.start(model="ollama/slow-150@30")
            reading = [asyncio.create_task(_by_sse_with_resume(ada, run["id"], broken)) for _ in range(4)]
            reading += [asyncio.create_task(_by_socket_with_resume(ada, run["id"], broken)) for _ in range(4)]
            await asyncio.sleep(1.5)
            await asyncio.to_thread(second.kill)
            async with asyncio.timeout(40):
                seen = await asyncio.gather(*reading)
    finally:
        second.kill()
        await asyncio.to_thread(second.start)
    assert {"sse", "socket"} <= set(broken), "nobody read through the node that was killed"
    history = agreed_end(first, run["id"])
    assert history.end.name == "thread.run.completed"
    for texts in seen:
        assert texts == history.texts


async def _by_sse_with_resume(client: Client, run_id: str, broken: list[str]) -> list[str]:
    texts: list[str] = []
    while True:
        with suppress(httpx.TransportError):
            async with client.events(run_id, after=len(texts), query="snapshot=0") as stream:
                if stream.status == 200:
                    try:
                        while await stream.next() is not None:
                            pass
                    finally:
                        texts += stream.transcript.texts
                    if stream.transcript.ended:
                        return texts
        broken.append("sse")
        await asyncio.sleep(0.2)


async def _by_socket_with_resume(client: Client, run_id: str, broken: list[str]) -> list[str]:
    texts: list[str] = []
    while True:
        transcript = Transcript(after=len(texts))
        with suppress(OSError, InvalidHandshake, ConnectionClosed, AssertionError):  # closed, in one way or another
            async with Socket(client.url, token=client.token) as socket:
                await socket.subscribe(run_id, after=len(texts), snapshot=False)
                transcript = socket.runs[run_id]
                await socket.end_of(run_id, within=30)
        texts += transcript.texts
        if transcript.ended:
            return texts
        broken.append("socket")
        await asyncio.sleep(0.2)

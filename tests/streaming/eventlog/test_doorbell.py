"""Two processes and what they hear of each other; over the layer in memory, and over a Redis that comes and goes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from channels.layers import InMemoryChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

from chatserver.redis_url import channel_layers
from streaming.eventlog import doorbell as module
from streaming.eventlog.doorbell import Doorbell, Layer
from streaming.eventlog.rings import Rings
from streaming.tasks import TaskRegistry
from tests.support.redis_server import NEEDS_REDIS, redis_server
from tests.support.services import OwnRedis

__all__ = ["redis_server"]
RUN = UUID(int=7)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROOF_EVERY", 0.2)
    monkeypatch.setattr(module, "DEAF_AFTER", 1.0)
    monkeypatch.setattr(module, "AGAIN_AFTER", 0.1)


class Node:
    def __init__(self, name: str, layer: Layer | None) -> None:
        self.heard: list[Rings] = []
        self.bell = Doorbell(layer=layer, name=name, heard=self.heard.append)


@asynccontextmanager
async def running(*nodes: Node) -> AsyncIterator[None]:
    tasks = TaskRegistry()
    for node in nodes:
        tasks.spawn(node.bell.speak_for_ever(), name="speaking")
        tasks.spawn(node.bell.listen_for_ever(), name="listening")
    try:
        yield
    finally:
        await tasks.cancel_all()
        for node in nodes:
            await node.bell.stop()


async def until(condition: Callable[[], object], within: float = 10.0) -> None:
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.01)


def in_redis(url: str) -> RedisPubSubChannelLayer:
    return RedisPubSubChannelLayer(**channel_layers(url, "test")["doorbell"]["CONFIG"])


async def test_a_ring_is_heard_by_the_others_and_not_by_oneself() -> None:
    layer = InMemoryChannelLayer()
    here, there = Node("here", layer), Node("there", layer)
    async with running(here, there):
        await until(lambda: here.bell.works and there.bell.works)
        here.bell.run(RUN, 5)
        here.bell.rights()
        await until(lambda: there.heard)
        assert there.heard == [Rings(runs={RUN: 5}, rights=True)]
        await asyncio.sleep(0.3)
        assert here.heard == []


async def test_what_rings_within_a_moment_goes_out_as_one() -> None:
    layer = _Counting()
    here, there = Node("here", layer), Node("there", layer)
    async with running(here, there):
        await until(lambda: here.bell.works and there.bell.works)
        before = layer.sent
        for head in range(1, 400):
            here.bell.run(RUN, head)
            here.bell.feed(RUN, head)
            if head % 100 == 0:
                await asyncio.sleep(0)
        await until(lambda: there.heard and there.heard[-1].runs.get(RUN) == 399)
        assert layer.sent - before < 10


async def test_alone_it_is_silent_and_keeps_nothing() -> None:
    node = Node("alone", None)
    async with running(node):
        node.bell.run(RUN, 1)
        node.bell.claims()
        await asyncio.sleep(0)
        assert node.bell.works is None
        assert not node.bell._rings


async def test_a_layer_that_hangs_holds_nobody_up_and_costs_no_memory() -> None:
    layer = _Hanging()
    node = Node("node", layer)
    async with running(node):
        await until(lambda: layer.hangs)
        for _ in range(5000):
            node.bell.run(uuid4(), 1)
        assert len(node.bell._rings.runs) == 1000
        assert node.bell.works is False


async def test_a_ring_that_means_nothing_is_passed_over() -> None:
    layer = InMemoryChannelLayer()
    here, there = Node("here", layer), Node("there", layer)
    async with running(here, there):
        await until(lambda: here.bell.works and there.bell.works)
        await layer.group_send("doorbell", {"type": "rings", "by": "somebody", "runs": "not bytes"})
        here.bell.claims()
        await until(lambda: there.heard)
        assert there.heard == [Rings(claims=True)]


@NEEDS_REDIS
async def test_over_redis_a_ring_takes_milliseconds(redis_server: OwnRedis) -> None:
    here, there = Node("here", in_redis(redis_server.url)), Node("there", in_redis(redis_server.url))
    loop = asyncio.get_running_loop()
    async with running(here, there):
        await until(lambda: here.bell.works and there.bell.works)
        took = []
        for head in range(1, 30):
            begun = loop.time()
            here.bell.run(RUN, head)
            await until(lambda head=head: there.heard and there.heard[-1].runs == {RUN: head}, within=2)  # type: ignore[misc]
            took.append(loop.time() - begun)
            await asyncio.sleep(0.02)
        assert sorted(took)[len(took) // 2] < 0.1


@NEEDS_REDIS
@pytest.mark.parametrize("gone_for", [0.0, 2.0])
async def test_a_redis_that_starts_again_empty_is_found_by_itself(redis_server: OwnRedis, gone_for: float) -> None:
    here, there = Node("here", in_redis(redis_server.url)), Node("there", in_redis(redis_server.url))
    with structlog.testing.capture_logs() as lines:
        async with running(here, there):
            await until(lambda: here.bell.works and there.bell.works)
            redis_server.kill()
            await until(lambda: here.bell.works is False and there.bell.works is False)
            for head in range(200):
                here.bell.run(RUN, head)
            await asyncio.sleep(gone_for)
            redis_server.start()
            await until(lambda: here.bell.works and there.bell.works)
            await _until_it_rings(here, there)
    told = [line["event"] for line in lines if line["event"].startswith("Redis")]
    assert [line.partition(":")[0] for line in told].count("Redis is away") == 2, told
    assert [line.partition(":")[0] for line in told].count("Redis is back") == 2, told


@NEEDS_REDIS
async def test_a_redis_that_comes_after_the_start_is_found(redis_server: OwnRedis) -> None:
    redis_server.kill()
    here, there = Node("here", in_redis(redis_server.url)), Node("there", in_redis(redis_server.url))
    async with running(here, there):
        await asyncio.sleep(0.5)
        assert here.bell.works is False
        redis_server.start()
        await until(lambda: here.bell.works and there.bell.works)
        await _until_it_rings(here, there)


@NEEDS_REDIS
async def test_a_redis_that_stands_still_is_away_until_it_moves_again(redis_server: OwnRedis) -> None:
    here, there = Node("here", in_redis(redis_server.url)), Node("there", in_redis(redis_server.url))
    async with running(here, there):
        await until(lambda: here.bell.works and there.bell.works)
        redis_server.freeze()
        await until(lambda: here.bell.works is False and there.bell.works is False)
        redis_server.thaw()
        await until(lambda: here.bell.works and there.bell.works)
        await _until_it_rings(here, there)


@NEEDS_REDIS
async def test_a_line_that_is_cut_behind_our_back_is_made_again(redis_server: OwnRedis) -> None:
    here, there = Node("here", in_redis(redis_server.url)), Node("there", in_redis(redis_server.url))
    cutter = in_redis(redis_server.url)
    async with running(here, there):
        await until(lambda: here.bell.works and there.bell.works)
        await cutter.group_send("nobody", {"type": "nothing"})
        await cutter._shards[0]._redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await cutter.flush()
        await _until_it_rings(here, there)


async def _until_it_rings(here: Node, there: Node) -> None:
    run, head = uuid4(), 0
    async with asyncio.timeout(10):
        while not any(run in rings.runs for rings in there.heard):
            head += 1
            here.bell.run(run, head)
            await asyncio.sleep(0.05)


class _Counting(InMemoryChannelLayer):
    sent = 0

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self.sent += 1
        await super().group_send(group, message)


class _Hanging(InMemoryChannelLayer):
    hangs = False

    def group_send(self, group: str, message: dict[str, Any]) -> Awaitable[None]:
        self.hangs = True
        return asyncio.Event().wait()  # type: ignore[return-value]

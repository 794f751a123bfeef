import asyncio
from collections.abc import Iterable
from typing import Any

from streaming.transports.inbox import Inbox
from streaming.transports.inflow import BURST

GONE = {"type": "websocket.disconnect", "code": 1000}


def frame(text: str = "x") -> dict[str, Any]:
    return {"type": "websocket.receive", "text": text}


async def filled(messages: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """What reaches a consumer that begins to ask when all has come, and how often it was told of a flood."""
    floods = 0

    def flooded() -> None:
        nonlocal floods
        floods += 1

    coming = iter([{"type": "websocket.connect"}, *messages, GONE])

    async def receive() -> dict[str, Any]:
        return next(coming)

    inbox = Inbox(receive, flooded=flooded)
    await inbox.fill()
    seen = [await inbox.next()]
    while seen[-1]["type"] != "websocket.disconnect":
        seen.append(await inbox.next())
    return seen, floods


async def test_everything_comes_in_order():
    messages = [frame(str(number)) for number in range(100)]
    assert await filled(messages) == ([{"type": "websocket.connect"}, *messages, GONE], 0)


async def test_a_flood_is_told_once_and_the_rest_is_thrown_away():
    seen, floods = await filled(frame() for _ in range(10_000))
    assert floods == 1
    assert BURST + 2 <= len(seen) < BURST + 100, "a hundred a second may come in after the burst"
    assert seen[-1] == GONE


async def test_binary_frames_count_as_well():
    seen, floods = await filled({"type": "websocket.receive", "bytes": b"x" * 60_000} for _ in range(100))
    assert (len(seen), floods) == (1_048_576 // 60_000 + 2, 1)


async def test_a_consumer_may_be_sent_home_while_the_client_says_nothing():
    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    inbox = Inbox(receive, flooded=lambda: None)
    inbox.end()
    assert (await inbox.next())["type"] == "websocket.disconnect"

"""Runs of every kind, one after the other in many hands: stream, socket, log and REST tell the same, byte for byte.

``AGREEMENT_RUNS`` is how many; ``AGREEMENT_SEED`` makes them again.
"""

import asyncio
import os
import random
from typing import Any

import msgspec
import pytest
from asgiref.sync import sync_to_async

from chatserver.accounts.models import User
from conversations.models import RunEvent
from streaming.protocol.codec import Entry, decode
from streaming.protocol.errors import UpstreamDropped, UpstreamError
from streaming.protocol.objects import Usage
from streaming.protocol.snapshot import fold
from streaming.providers.base import ChatRequest, Chunk, Finish, Text, Thinking, ToolCall
from streaming.providers.scripted import ScriptedProvider, Turn
from tests.support.histories import assert_valid
from tests.support.whole import Whole, the_whole

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800)]
RUNS = int(os.environ.get("AGREEMENT_RUNS", "30"))
SEED = int(os.environ.get("AGREEMENT_SEED", "0")) or random.randrange(1, 10**9)
AT_ONCE = 10
WORDS = ["a", "bc ", "\n", "é", "漢", "😀", "\u2028", "\x85", '"', "\\", "<b>", "data: x\n\n", "\x00", "\ud800"]


class AnyModel(ScriptedProvider):
    """Says whatever the seed has it say: text, thoughts, calls of tools that are there or not, faults."""

    def __init__(self, seed: int) -> None:
        super().__init__([], models=["model"])
        self._random = random.Random(seed)

    def _next_turn(self, request: ChatRequest) -> Turn:
        draw = self._random
        turn: list[Any] = []
        calls = False
        for _ in range(draw.randrange(8)):
            kind = draw.random()
            if kind < 0.1:
                turn.append(draw.choice([0.0, 0.001, 0.05]))
            elif kind < 0.13:
                return [*turn, draw.choice([UpstreamDropped(), UpstreamError("no")])]
            else:
                batch = [self._chunk() for _ in range(draw.randrange(1, 4))]
                calls = calls or any(isinstance(chunk, ToolCall) for chunk in batch)
                turn.append(batch)
        reason = draw.choice(["tool_calls" if calls else "stop", "stop", "stop", "length", "content_filter"])
        return [*turn, [Finish(reason=reason, usage=Usage(prompt_tokens=draw.choice([None, 7]), completion_tokens=1))]]

    def _chunk(self) -> Chunk:
        draw = self._random
        text = "".join(draw.choices(WORDS, k=draw.randrange(6)))
        match draw.randrange(12):
            case 0:
                name, arguments = draw.choice([("calculator", {"expression": "6*7"}), ("clock", {}), ("nobody's", {})])
                return ToolCall(id="", name=name, arguments=draw.choice([arguments, arguments, None]))
            case 1 | 2 | 3:
                return Thinking(text)
            case _:
                return Text(text)


async def one_run(whole: Whole, draw: random.Random) -> None:
    thread = await insist(whole, "POST", "/api/v1/threads", {})
    path = f"/api/v1/threads/{thread['id']}/runs"
    accepted = await insist(whole, "POST", path, {"content": "Hello", "model": "scripted/model"})
    run_id = accepted["run"]["id"]
    readers = asyncio.gather(told(whole.over_sse(run_id, 0)), told(whole.over_socket(run_id, 0)))
    if draw.random() < 0.15:
        await asyncio.sleep(draw.choice([0, 0.01, 0.05]))
        await insist(whole, "POST", f"/api/v1/runs/{run_id}/cancel")
    over_sse, over_socket = await readers
    rows = RunEvent.objects.filter(run_id=run_id).order_by("seq")
    logged = [text async for text in rows.values_list("text", flat=True)]
    assert over_sse == over_socket == logged
    assert await whole.call("GET", f"/api/v1/runs/{run_id}/events?after={len(logged)}") == (204, None)
    entries = [Entry(number, text) for number, text in enumerate(logged, start=1)]
    history = [decode(text)[1] for text in logged]
    assert_valid([event for event in history if event is not None])
    state = fold(entries)
    rest = await insist(whole, "GET", f"/api/v1/runs/{run_id}")
    assert rest["head"] == len(logged)
    assert rest["run"] == msgspec.to_builtins(state.run)
    assert rest["messages"] == msgspec.to_builtins(state.messages)
    assert rest["steps"] == msgspec.to_builtins(state.steps)
    shown = await insist(whole, "GET", f"/api/v1/threads/{thread['id']}/messages")
    # What could be asked next, and what else was said in its place, belongs to the thread, not to the run.
    listed = [{**message, "follow_ups": [], "versions": [message["id"]]} for message in rest["messages"]]
    assert (listed, shown["beside"]) == (shown["results"], [])


async def insist(whole: Whole, method: str, path: str, body: Any = None) -> Any:
    """The answer, also of a database that is too busy at first: a slow machine's is, with so many hands."""
    while True:
        status, answer = await whole.call(method, path, body)
        if status != 503:
            assert status in (200, 201, 202), answer
            return answer
        await asyncio.sleep(0.2)


async def told(texts: Any) -> list[str]:
    """The numbered events; hints are nobody's history."""
    return [text async for text in texts if decode(text)[0] is not None]


async def test_stream_socket_log_and_rest_agree_on_runs_of_every_kind(
    user: User, token_for: Any, settings: Any
) -> None:
    settings.MAX_STREAMS, settings.FLUSH_INTERVAL, settings.RETRY_DELAY = 1000, 5, 0.01
    print(f"AGREEMENT_SEED={SEED}")
    draw = random.Random(SEED)
    left = iter(range(RUNS))
    token = await sync_to_async(token_for)(user)

    async def hand() -> None:
        for _ in left:
            async with asyncio.timeout(60):
                await one_run(whole, draw)

    async with the_whole(token, [AnyModel(SEED)]) as whole, asyncio.TaskGroup() as hands:
        for _ in range(AT_ONCE):
            hands.create_task(hand())

"""The built-in demonstration, ``demo/demo``: always there, so that everything can be tried without a model server."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence

from streaming.protocol.objects import Usage
from streaming.providers.base import ChatRequest, Chunk, Finish, ModelInfo, Text, Thinking, ToolCall
from streaming.providers.demo_script import Script, pieces, script


class DemoProvider:
    """Plays its script word by word, one word in ``pace`` seconds."""

    kind = "demo"

    def __init__(self, *, name: str = "demo", pace: float = 0.03) -> None:
        self.name = name
        self._pace = pace

    async def stream(self, request: ChatRequest) -> AsyncIterator[Sequence[Chunk]]:
        for chunk in _chunks(request):
            yield [chunk]
            if self._pace and isinstance(chunk, Text | Thinking):
                await asyncio.sleep(self._pace)

    async def complete(self, request: ChatRequest) -> Sequence[Chunk]:
        turn = script(request)
        thinking = [Thinking(turn.thinking)] if _thinks(request) else []
        answer = [Text(turn.answer)] if turn.answer else []
        return [*thinking, *answer, *_calls(turn, request), _finish()]

    async def models(self) -> Sequence[ModelInfo]:
        return [
            ModelInfo(
                provider=self.name,
                name="demo",
                capabilities=("completion", "tools", "thinking"),
                context_length=32_768,
                loaded=True,
                demonstration=True,
                cannot_see=True,
            )
        ]

    async def close(self) -> None:
        pass


def _chunks(request: ChatRequest) -> list[Chunk]:
    turn = script(request)
    thinking = [Thinking(word) for word in pieces(turn.thinking)] if _thinks(request) else []
    return [*thinking, *(Text(word) for word in pieces(turn.answer)), *_calls(turn, request), _finish()]


def _thinks(request: ChatRequest) -> bool:
    return request.think is not False


def _calls(turn: Script, request: ChatRequest) -> list[ToolCall]:
    if turn.tool is None:
        return []
    # The same conversation gives the same id, another turn of it another one.
    seed = f"{len(request.messages)}{turn.tool}{request.messages[-1].content}"
    id = f"call_{hashlib.sha256(seed.encode('utf-8', 'replace')).hexdigest()[:12]}"
    return [ToolCall(id=id, name=turn.tool, arguments=dict(turn.arguments))]


def _finish() -> Finish:
    return Finish(reason="stop", usage=Usage())  # a script has no tokens

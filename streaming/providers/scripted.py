"""A provider that plays a script, for tests: every batch, pause and failure is written down beforehand."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from streaming.protocol.errors import ChatError
from streaming.providers.base import ChatRequest, Chunk, ModelInfo

# One thing that happens in a turn: a batch is yielded, an event is waited for, a number is slept, an error is raised.
Beat = Sequence[Chunk] | asyncio.Event | float | ChatError
Turn = Sequence[Beat]


class ScriptedProvider:
    """Plays one turn a request, in order, the last one again when they run out.

    ``requests`` are the requests it got; ``closed_early`` counts the streams that were left before their turn was over.
    ``completed`` counts the requests that came through ``complete``.
    """

    def __init__(
        self,
        turns: Sequence[Turn],
        *,
        name: str = "scripted",
        kind: str = "scripted",
        models: Sequence[str | ModelInfo] = ("model",),
        models_error: ChatError | None = None,
    ) -> None:
        self.name = name
        self.kind = kind
        self.turns = list(turns)
        self.listed = list(models)
        self.models_error = models_error
        self.requests: list[ChatRequest] = []
        self.completed = 0
        self.closed_early = 0
        self.asked_for_models = 0
        self.closed = False

    async def stream(self, request: ChatRequest) -> AsyncIterator[Sequence[Chunk]]:
        over = False
        try:
            for beat in self._next_turn(request):
                match beat:
                    case asyncio.Event():
                        await beat.wait()
                    case ChatError():
                        over = True
                        raise beat
                    case int() | float():
                        await asyncio.sleep(beat)
                    case _:
                        yield beat
            over = True
        finally:
            if not over:
                self.closed_early += 1

    async def complete(self, request: ChatRequest) -> Sequence[Chunk]:
        self.completed += 1
        return [chunk async for batch in self.stream(request) for chunk in batch]

    async def models(self) -> Sequence[ModelInfo]:
        self.asked_for_models += 1
        if self.models_error is not None:
            raise self.models_error
        return [self._info(model) for model in self.listed]

    async def close(self) -> None:
        self.closed = True

    def _next_turn(self, request: ChatRequest) -> Turn:
        self.requests.append(request)
        return self.turns[min(len(self.requests), len(self.turns)) - 1] if self.turns else ()

    def _info(self, model: str | ModelInfo) -> ModelInfo:
        if isinstance(model, ModelInfo):
            return model
        return ModelInfo(provider=self.name, name=model, capabilities=("completion", "tools", "thinking"))

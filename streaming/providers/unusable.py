"""A model server that cannot be asked as it is configured: it says so, wherever it is asked."""

from collections.abc import AsyncIterator, Sequence

from streaming.protocol.errors import UpstreamError, UpstreamKey
from streaming.providers.base import ChatRequest, Chunk, ModelInfo


class UnusableProvider:
    def __init__(self, *, name: str, kind: str, trouble: str, fault: type[UpstreamError] = UpstreamKey) -> None:
        self.name = name
        self.kind = kind
        self._trouble = trouble
        self._fault = fault

    async def stream(self, request: ChatRequest) -> AsyncIterator[Sequence[Chunk]]:
        yield await self.complete(request)

    async def complete(self, request: ChatRequest) -> Sequence[Chunk]:
        raise self._fault()

    async def models(self) -> Sequence[ModelInfo]:
        raise self._fault(self._trouble)

    async def close(self) -> None:
        """Nothing is open."""

"""Asking a model server more than once, as long as nobody has seen a word of the answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Self

from streaming.protocol.errors import ContextExceeded, StreamingRefused, UpstreamError
from streaming.providers.base import ChatRequest, Chunk, Provider

# A reader waits meanwhile. A server that wants more time than this is asked no later all the same.
MAX_WAIT = 30.0

# Each time it is less by a quarter at least, or by what the server has said of its window.
MOST_SHORTENED = 3

Batches = AsyncIterator[Sequence[Chunk]]
# What to ask instead of a request that was too long; None where there is nothing less to ask.
Shorter = Callable[[ChatRequest, ContextExceeded], Awaitable[ChatRequest | None]]


def attempts(
    provider: Provider,
    request: ChatRequest,
    *,
    attempts: int,
    delay: float,
    fallback_to_non_streaming: bool,
    streaming: bool = True,
    shorter: Shorter | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> "Begun":
    """The batches of one answer, from at most ``attempts`` requests.

    Between them lie ``delay`` seconds, doubled each time; once, what the server asked for where that is longer. Raises
    the last UpstreamError: at once where something was yielded already, or where asking again does not help. A server
    that refuses to stream is asked for the whole answer, where that is allowed; with ``streaming`` off it is asked for
    nothing else. One that finds the prompt too long is asked what ``shorter`` makes of the request, a few times.
    """

    async def begin() -> tuple[Sequence[Chunk], Batches]:
        nonlocal request
        asked, streams, told, shortened = 0, streaming, False, 0
        while True:
            batches = provider.stream(request) if streams else _whole(provider, request)
            try:
                return await anext(batches), batches
            except StreamingRefused:
                if not streams or not fallback_to_non_streaming:
                    raise
                streams = False
                continue
            except ContextExceeded as error:
                less = await shorter(request, error) if shorter is not None and shortened < MOST_SHORTENED else None
                if less is None:
                    raise
                request, shortened = less, shortened + 1
                continue
            except UpstreamError as error:
                asked += 1
                if not error.retryable or asked >= attempts:
                    raise
                wait = delay * 2 ** (asked - 1)
                if error.retry_after_ms is not None and not told:
                    told = True
                    wait = max(wait, error.retry_after_ms / 1000)
            await sleep(min(wait, MAX_WAIT))

    return Begun(begin)


class Begun:
    """An answer of which ``begin`` gives the first batch, and where the others come from: those do not pass through
    here any more.
    """

    def __init__(self, begin: Callable[[], Awaitable[tuple[Sequence[Chunk], Batches]]]) -> None:
        self._begin = begin
        self._others: Batches | None = None

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Awaitable[Sequence[Chunk]]:
        return self._first() if self._others is None else self._others.__anext__()

    async def aclose(self) -> None:
        if self._others is not None:
            await self._others.aclose()  # type: ignore[attr-defined]

    async def _first(self) -> Sequence[Chunk]:
        first, self._others = await self._begin()
        return first


async def _whole(provider: Provider, request: ChatRequest) -> Batches:
    yield await provider.complete(request)

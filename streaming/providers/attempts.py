"""Asking a model server more than once, as long as nobody has seen a word of the answer."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing

from streaming.protocol.errors import StreamingRefused, UpstreamError
from streaming.providers.base import ChatRequest, Chunk, Provider

# A reader waits meanwhile. A server that wants more time than this is asked no later all the same.
MAX_WAIT = 30.0


async def attempts(
    provider: Provider,
    request: ChatRequest,
    *,
    attempts: int,
    delay: float,
    fallback_to_non_streaming: bool,
    streaming: bool = True,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[Sequence[Chunk]]:
    """The batches of one answer, from at most ``attempts`` requests.

    Between them lie ``delay`` seconds, doubled each time; once, what the server asked for where that is longer. Raises
    the last UpstreamError: at once where something was yielded already, or where asking again does not help. A server
    that refuses to stream is asked for the whole answer, where that is allowed; with ``streaming`` off it is asked for
    nothing else.
    """
    asked = 0
    told = False
    while True:
        seen = False
        try:
            async with aclosing(_once(provider, request, streaming=streaming)) as batches:
                async for batch in batches:
                    seen = True
                    yield batch
            return
        except StreamingRefused:
            if seen or not streaming or not fallback_to_non_streaming:
                raise
            streaming = False
            continue
        except UpstreamError as error:
            asked += 1
            if seen or not error.retryable or asked >= attempts:
                raise
            wait = delay * 2 ** (asked - 1)
            if error.retry_after_ms is not None and not told:
                told = True
                wait = max(wait, error.retry_after_ms / 1000)
        await sleep(min(wait, MAX_WAIT))


async def _once(provider: Provider, request: ChatRequest, *, streaming: bool) -> AsyncGenerator[Sequence[Chunk], None]:
    if not streaming:
        yield await provider.complete(request)
        return
    async with aclosing(provider.stream(request)) as batches:  # type: ignore[type-var]
        async for batch in batches:
            yield batch

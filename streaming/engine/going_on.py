"""Asking a model to go on with the turn that stands begun at the end of the messages."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, suppress

from msgspec.structs import replace

from streaming.engine.continuation import CannotContinue, Continuation, refuses_to_continue
from streaming.protocol.errors import UpstreamError
from streaming.providers.base import ChatRequest, Chunk

Ask = Callable[[ChatRequest], AsyncIterator[Sequence[Chunk]]]


def going_on(ask: Ask) -> Ask:
    """``ask``, but a turn that was begun is gone on with: its chunks are what comes after the text so far.

    Its iterator raises CannotContinue where the model does not, and whatever ``ask`` raises.
    """

    def asked(request: ChatRequest) -> AsyncIterator[Sequence[Chunk]]:
        last = request.messages[-1] if request.messages else None
        begun = last is not None and last.role == "assistant" and not last.tool_calls and last.content.strip()
        return _gone_on(ask, request) if begun else ask(request)

    return asked


async def _gone_on(ask: Ask, request: ChatRequest) -> AsyncIterator[Sequence[Chunk]]:
    *before, begun = request.messages
    continuation = Continuation(begun.content)
    # A model that thinks first has begun a new turn, not gone on with this one; many servers refuse the two together.
    request = replace(
        request, messages=(*before, replace(begun, content=begun.content.rstrip(), thinking="")), think=False
    )
    said = False
    try:
        async with aclosing(ask(request)) as chunks:  # type: ignore[type-var]
            async for batch in chunks:
                said = True
                yield continuation.take(batch)
    except UpstreamError as fault:
        if not said and refuses_to_continue(fault):
            raise CannotContinue() from fault
        with suppress(CannotContinue):  # it broke before that could be told for sure: it broke
            if held := continuation.rest():
                yield held
        raise

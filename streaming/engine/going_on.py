"""Asking a model to go on with the turn that stands begun at the end of the messages."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress

from msgspec.structs import replace

from streaming.engine.continuation import SURELY_BEGUN_AGAIN, CannotContinue, Continuation, refuses_to_continue
from streaming.protocol.errors import UpstreamError
from streaming.providers.base import ChatRequest, Chunk

Ask = Callable[[ChatRequest], AsyncIterator[Sequence[Chunk]]]


def going_on(
    ask: Ask,
    *,
    known: Callable[[], Awaitable[bool | None]],
    learned: Callable[[bool], None],
) -> Ask:
    """``ask``, but a turn that was begun is gone on with: its chunks are what comes after the text so far.

    Its iterator raises CannotContinue where the model does not, and whatever ``ask`` raises. A model that is ``known``
    not to is not asked in vain; what is seen of another one is ``learned``.
    """

    def asked(request: ChatRequest) -> AsyncIterator[Sequence[Chunk]]:
        last = request.messages[-1] if request.messages else None
        begun = last is not None and last.role == "assistant" and not last.tool_calls and last.content.strip()
        return _gone_on(ask, request, known, learned) if begun else ask(request)

    return asked


async def _gone_on(
    ask: Ask,
    request: ChatRequest,
    known: Callable[[], Awaitable[bool | None]],
    learned: Callable[[bool], None],
) -> AsyncIterator[Sequence[Chunk]]:
    if (does := await known()) is False:
        raise CannotContinue()
    *before, begun = request.messages
    continuation = Continuation(begun.content)
    # A model that thinks first has begun a new turn, not gone on with this one; many servers refuse the two together.
    # A form is held to from the first word of a turn on: with it the model could only begin the answer again.
    request = replace(
        request,
        messages=(*before, replace(begun, content=begun.content.rstrip(), thinking="")),
        think=False,
        response_format=None,
    )
    said = False
    try:
        async with aclosing(ask(request)) as chunks:  # type: ignore[type-var]
            async for batch in chunks:
                said = True
                yield continuation.take(batch)
                if not does and continuation.went_on:
                    learned(does := True)
    except CannotContinue:
        if len(begun.content.strip()) >= SURELY_BEGUN_AGAIN:  # else it may have been chance
            learned(False)
        raise
    except UpstreamError as fault:
        if not said and refuses_to_continue(fault):
            learned(False)
            raise CannotContinue() from fault
        with suppress(CannotContinue):  # it broke before that could be told for sure: it broke
            if held := continuation.rest():
                yield held
        raise

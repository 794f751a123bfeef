"""Asking a provider, and what came of it."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from streaming.protocol.errors import UpstreamError
from streaming.providers.base import ChatRequest, Chunk, PromptMessage, Provider, Text, Thinking


def asking(model: str, content: str = "Why is the sky blue?", **fields: Any) -> ChatRequest:
    return ChatRequest(model=model, messages=(PromptMessage(role="user", content=content),), **fields)


async def everything(provider: Provider, request: ChatRequest) -> tuple[list[Chunk], UpstreamError | None]:
    """All chunks that came, and the error that ended them."""
    chunks: list[Chunk] = []
    try:
        async with aclosing(provider.stream(request)) as batches:  # type: ignore[type-var]
            async for batch in batches:
                chunks += batch
    except UpstreamError as error:
        return chunks, error
    return chunks, None


def text_of(chunks: Sequence[Chunk], kind: type[Text] | type[Thinking] = Text) -> str:
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, kind))


async def raw_server(answer: bytes) -> tuple[asyncio.Server, str]:
    """A server that says ``answer`` to whatever it is asked, and closes; and its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"

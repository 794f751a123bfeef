"""Bodies that break: what came before is read, and the fault has a name."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from aiohttp import StreamReader

from streaming.protocol.errors import UpstreamDropped, UpstreamError, UpstreamStalled
from streaming.providers.base import ChatRequest, Chunk, PromptMessage, Text
from streaming.providers.beat import Beat
from streaming.providers.ollama import OllamaProvider
from streaming.providers.reader import BodyReader

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
ONE, TWO = (
    b'{"model":"m","message":{"role":"assistant","content":"%s"},"done":false}\n' % text for text in (b"One", b" two")
)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@asynccontextmanager
async def model_server(
    first: bytes, rest: bytes, *, reset: bool
) -> AsyncIterator[tuple[OllamaProvider, asyncio.Event]]:
    """Sends ``rest`` as soon as ``first`` was read, and then goes away, or not."""
    was_read = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + first)
        await was_read.wait()
        writer.write(rest)
        await asyncio.sleep(0.02)
        if reset:
            writer.transport.abort()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    # Long enough that all of it comes in the pause after the first read.
    provider = OllamaProvider(base_url=f"http://127.0.0.1:{port}", pace=0.2)
    async with server:
        yield provider, was_read
    await provider.close()


async def read(first: bytes, rest: bytes, *, reset: bool = True) -> tuple[list[Chunk], UpstreamError | None]:
    chunks: list[Chunk] = []
    request = ChatRequest(model="m", messages=[PromptMessage(role="user", content="Why?")])
    async with model_server(first, rest, reset=reset) as (provider, was_read):
        try:
            async for got in provider.stream(request):
                was_read.set()
                chunks += got
        except UpstreamError as failure:
            return chunks, failure
    return chunks, None


def text(chunks: Sequence[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, Text))


async def test_what_came_in_a_pause_is_read_though_the_connection_broke_meanwhile() -> None:
    chunks, failure = await read(chunk(ONE), chunk(TWO))
    assert text(chunks) == "One two"
    assert type(failure) is UpstreamDropped


async def test_why_a_model_server_gave_up_is_told_though_it_was_its_last_word() -> None:
    chunks, failure = await read(chunk(ONE), chunk(b'{"error":"model runner has unexpectedly stopped"}\n'))
    assert text(chunks) == "One"
    assert "unexpectedly stopped" in f"{failure} {failure.details if failure else None}"


async def test_a_body_that_turns_out_to_be_no_http_is_the_model_server_s_fault() -> None:
    chunks, failure = await read(chunk(ONE), b"no size\r\n", reset=False)
    assert text(chunks) == "One"
    assert failure is not None


class Connection:
    """What aiohttp asks to read on."""

    def __init__(self) -> None:
        self.asked = 0

    def resume_reading(self, **_: Any) -> None:
        self.asked += 1


async def test_the_connection_is_seen_to_once_a_read_however_many_pieces_had_come() -> None:
    connection: Any = Connection()
    body = StreamReader(connection, 2**16, loop=asyncio.get_running_loop())
    for piece in (b"One", b" two", b" three"):
        body.feed_data(piece)
    reader = BodyReader(httpx.Response(200, extensions={"body": body}), deadline=0, idle=0)
    assert (await reader.read(), connection.asked) == (b"One two three", 1)


class Body:
    """Has something to read at any time."""

    def at_eof(self) -> bool:
        return False

    def exception(self) -> None:
        return None

    def read_nowait(self) -> bytes:
        return b"x" * 100_000


def reader(*, beat: Beat | None) -> BodyReader:
    response = httpx.Response(200, extensions={"body": Body()})
    return BodyReader(response, deadline=asyncio.get_running_loop().time() + 9, idle=9.0, beat=beat)


@pytest.mark.parametrize(("useless", "waits"), [(0, False), (-5, False), (200_000, True)])
async def test_after_what_was_of_no_use_the_next_read_waits_for_as_long_as_it_was(useless: int, waits: bool) -> None:
    reading = reader(beat=Beat(0.02))
    await reading.read()
    reading.rest(useless)
    begun = time.monotonic()
    await reading.read()
    assert (time.monotonic() - begun > 0.15) is waits


async def test_nothing_is_read_after_the_end_that_was_set_though_there_is_something() -> None:
    reading = reader(beat=None)
    reading.end_within(0.05)
    await reading.read()
    await asyncio.sleep(0.06)
    with pytest.raises(UpstreamStalled):
        await reading.read()

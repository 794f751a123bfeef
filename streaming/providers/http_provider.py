"""What all model servers that are asked over HTTP have in common: their numbers, and the loop that reads an answer."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Generic, Protocol, TypedDict, TypeVar

import httpx
import structlog

from streaming.protocol.errors import UpstreamError, UpstreamProtocol, UpstreamTruncated
from streaming.providers.base import ChatRequest, Chunk
from streaming.providers.beat import Beat
from streaming.providers.http_client import http_client
from streaming.providers.reader import BodyReader

log = structlog.get_logger(__name__)

# After its reason to stop a server has its usage and an end mark to send, both made already. One that keeps the
# connection open instead, or sends signs of life for ever, is not waited for.
_LAST_WORDS = 2.0
# A body that came whole is looked through in pieces, so that millions of tiny lines are never all in memory.
_SLICE = 64 * 1024

Piece = TypeVar("Piece")  # what a body is cut into: a line, an event
Given = TypeVar("Given", contravariant=True)


class Splitter(Protocol[Piece]):
    """Cuts a body into its pieces; see LineSplitter and SseSplitter."""

    complete: list[Piece]

    @property
    def held(self) -> int:
        """The bytes of a piece that has not come whole yet."""

    def feed(self, data: bytes) -> list[Piece]: ...

    def flush(self) -> list[Piece]: ...


class Fold(Protocol[Given]):
    """Makes chunks of the pieces of one answer; see the two classes named Answer."""

    finished: bool
    concluded: bool
    failure: UpstreamError | None
    replaced: int

    def feed(self, pieces: Sequence[Given], /) -> list[Chunk]: ...

    def end(self, rest: Sequence[Given] = (), /) -> list[Chunk]: ...


class UpstreamNumbers(TypedDict, total=False):
    """Those of a HttpProvider that have a default."""

    connect: float
    first_byte: float
    idle: float
    max_line: int
    pace: float


class HttpProvider(ABC, Generic[Piece]):
    """One model server. All numbers of time are seconds.

    base_url    where it is; ``key`` is sent to that address and nowhere else, and empty it is not
    connect     until the connection stands, its name looked up included
    first_byte  until the first byte of the answer: a model loads in silence, for minutes
    idle        of silence after that; whatever comes is a sign of life
    max_line    bytes of one line or event, or of a whole answer without streaming
    pace        after the first bytes at most one read in this time, so that the kernel gathers tokens; 0 reads at once
    """

    def __init__(
        self,
        *,
        base_url: str,
        name: str,
        key: str = "",
        connect: float = 3.0,
        first_byte: float = 600.0,
        idle: float = 120.0,
        max_line: int = 8 * 1024 * 1024,
        pace: float = 0.04,
    ) -> None:
        self.name = name
        self.max_line = max_line
        self._first_byte = first_byte
        self._idle = idle
        self._beat = Beat(pace) if pace else None
        self._client, self.shown_url = http_client(base_url, connect=connect, key=key)

    async def stream(self, request: ChatRequest) -> AsyncIterator[Sequence[Chunk]]:
        """The chunks of each read; the last one is a Finish. Every other end is an UpstreamError, after what came."""
        splitter = self._splitter()
        fault: UpstreamError | None = None
        concluded = False
        async with self._asked(request, stream=True) as (response, deadline, left_out):
            answer = self._answer(left_out)
            self._check_stream(response)
            reader = self._reader(response, deadline, beat=self._beat)
            while not answer.finished and fault is None:
                try:
                    data = await reader.read()
                except UpstreamError as broken:
                    fault = broken
                    break
                try:
                    pieces = splitter.feed(data)
                except UpstreamProtocol as too_long:
                    pieces, fault = splitter.complete, too_long
                if chunks := answer.feed(pieces):
                    yield chunks
                else:
                    reader.rest(len(data) - splitter.held)
                fault = answer.failure or fault or (None if data else UpstreamTruncated())
                if answer.concluded and not concluded:
                    concluded = True
                    reader.end_within(_LAST_WORDS)
        if rest := answer.end(splitter.flush() if isinstance(fault, UpstreamTruncated) else ()):
            yield rest
        self._tell_of_replaced(answer, request)
        if not answer.finished:
            raise answer.failure or fault or UpstreamTruncated()

    async def close(self) -> None:
        await self._client.aclose()

    def _whole(self, answer: Fold[Piece], body: bytes) -> list[Chunk]:
        """The chunks of an answer that came as pieces though nobody asked for a stream."""
        splitter = self._splitter()
        chunks: list[Chunk] = []
        for at in range(0, len(body), _SLICE):
            chunks += answer.feed(splitter.feed(body[at : at + _SLICE]))
        return [*chunks, *answer.end(splitter.flush())]

    def _reader(self, response: httpx.Response, deadline: float, *, beat: Beat | None = None) -> BodyReader:
        return BodyReader(response, deadline=deadline, idle=self._idle, beat=beat)

    def _tell_of_replaced(self, answer: Fold[Piece], request: ChatRequest) -> None:
        if answer.replaced:
            log.warning("upstream_invalid_utf8", provider=self.name, model=request.model, lines=answer.replaced)

    def _answer_deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._first_byte

    @abstractmethod
    def _answer(self, left_out: tuple[str, ...]) -> Fold[Piece]: ...

    @abstractmethod
    def _splitter(self) -> Splitter[Piece]: ...

    @abstractmethod
    def _asked(
        self, request: ChatRequest, *, stream: bool
    ) -> AbstractAsyncContextManager[tuple[httpx.Response, float, tuple[str, ...]]]:
        """The 200 answer to ``request``, until when its first byte may take, and what was asked for and had to be left
        out, in people's words. Closed, it is closed on the wire.
        """

    @abstractmethod
    def _check_stream(self, response: httpx.Response) -> None:
        """Raises StreamingRefused or UpstreamProtocol for an answer that is no stream."""

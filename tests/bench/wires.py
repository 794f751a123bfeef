"""Connections that note what came when, and nothing more while it comes; it is read when all is over."""

import asyncio
import base64
import json
import os
import struct
import time
from collections.abc import Generator, Iterator
from typing import Any, cast

Piece = tuple[float, bytes]  # when it came, on the monotonic clock, and what
_MASK = b"\x5a\x11\x0f\x73"
_PING, _PONG = 9, 10


class Wire(asyncio.Protocol):
    """``ended`` is done when the other side has said all: what ``last`` was seen, or the connection is closed."""

    def __init__(self, *, last: bytes) -> None:
        self.came: list[Piece] = []
        self.asked_at = 0.0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.some = asyncio.Event()  # something has come since it was asked
        self._last = last
        self._tail = b""
        self._transport: asyncio.Transport | None = None

    @property
    def bytes_read(self) -> int:
        return sum(len(data) for _, data in self.came)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none of asyncio's classes

    def data_received(self, data: bytes) -> None:
        self.came.append((time.monotonic(), data))
        self.some.set()
        if self._last in self._tail + data:
            self._end()
        self._tail = data[-len(self._last) :]

    def connection_lost(self, fault: Exception | None) -> None:
        self._end()

    def ask(self, request: bytes) -> None:
        assert self._transport is not None
        self.came.clear()
        self.some.clear()
        self.asked_at = time.monotonic()
        self._transport.write(request)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _end(self) -> None:
        self.some.set()
        if not self.ended.done():
            self.ended.set_result(None)

    def body(self) -> Iterator[Piece]:
        """What came, without the transport's own marks. Raises ValueError where it is no sound answer."""
        raise NotImplementedError


class HttpWire(Wire):
    """One request over a connection of its own."""

    def __init__(self) -> None:
        super().__init__(last=b"0\r\n\r\n")

    async def head(self) -> bytes:
        """What stands before the body, once it has come; less where the connection ends in it."""
        while True:
            head, found, _ = b"".join(data for _, data in self.came).partition(b"\r\n\r\n")
            if found or self.ended.done():
                return head
            self.some.clear()
            await self.some.wait()

    def body(self) -> Iterator[Piece]:
        if not (yield from self.so_far()):
            raise ValueError("it broke off")

    def so_far(self) -> Generator[Piece, None, bool]:
        """The body as far as it has come; returns whether that is all of it."""
        buffer, begun, left, whole = b"", False, 0, False
        for at, data in self.came:
            buffer += data
            if not begun:
                head, found, rest = buffer.partition(b"\r\n\r\n")
                if not found:
                    continue
                if b" 200 " not in head[:16]:
                    raise ValueError(f"answered {head[9:12].decode()} {rest[:200]!r}")
                if b"transfer-encoding: chunked" not in head.lower():
                    raise ValueError("not chunked")
                begun, buffer = True, rest
            said = b""
            while b"\r\n" in buffer:
                size, _, rest = buffer.partition(b"\r\n")
                left = int(size, 16)
                if left == 0:
                    whole = True
                if len(rest) < left + 2:
                    break
                said, buffer = said + rest[:left], rest[left + 2 :]
            if said:
                yield at, said
        return whole


class SocketWire(Wire):
    """A WebSocket; ``opened`` is done when the server has let it in."""

    def __init__(self, *, last: bytes) -> None:
        super().__init__(last=last)
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._head = b""

    def knock(self, *, host: str, token: str) -> None:
        assert self._transport is not None
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(
            f"GET /ws/v1 HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat.v1\r\n"
            f"Authorization: Bearer {token}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if not self.opened.done():
            self._head += data
            head, found, data = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " in head[:16]:
                self.opened.set_result(None)
            else:
                self.opened.set_exception(ConnectionError(head[:100].decode(errors="replace")))
        if data:
            self._pong(data)
            super().data_received(data)

    def _pong(self, data: bytes) -> None:
        if data[0] & 15 == _PING and self._transport is not None:
            self._transport.write(frame(data[2 : 2 + data[1]], kind=_PONG))

    async def reply(self) -> dict[str, Any]:
        """The data of the reply to what was asked last. Raises ValueError where it is an error, or none comes."""
        while True:
            for _, text in self.body():
                told = json.loads(text)
                if "req" in told:
                    if told["event"] != "ack":
                        raise ValueError(f"answered {text[:200]!r}")
                    data: dict[str, Any] = told["data"]
                    return data
            if self.ended.done():
                raise ValueError("it ended without a reply")
            self.some.clear()
            await self.some.wait()

    def connection_lost(self, fault: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed before it was open"))
        super().connection_lost(fault)

    def body(self) -> Iterator[Piece]:
        """A piece for each frame."""
        buffer = b""
        for at, data in self.came:
            buffer += data
            while (size := _frame_size(buffer)) is not None and len(buffer) >= sum(size):
                head, length = size
                if buffer[0] & 15 in (0, 1, 2):
                    yield at, buffer[head : head + length]
                buffer = buffer[head + length :]


class PatientSocket(SocketWire):
    """Answers every ping, wherever it stands in what came: a socket that does not is closed after a while."""

    _unread = b""

    def _pong(self, data: bytes) -> None:
        self._unread += data
        while (size := _frame_size(self._unread)) is not None and len(self._unread) >= sum(size):
            super()._pong(self._unread)
            self._unread = self._unread[sum(size) :]


def frame(payload: bytes, *, kind: int = 1) -> bytes:
    """A client's frame: masked, as they have to be (RFC 6455, section 5.3)."""
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", 0x80 | kind, 0x80 | length)
    else:
        head = struct.pack("!BBH", 0x80 | kind, 0x80 | 126, length)
    key = int.from_bytes((_MASK * (length // 4 + 1))[:length])
    return head + _MASK + (int.from_bytes(payload) ^ key).to_bytes(length)


def _frame_size(buffer: bytes) -> tuple[int, int] | None:
    """Bytes of a server's frame: its head, and what it carries. None until that has come."""
    if len(buffer) < 2:
        return None
    length = buffer[1] & 127
    if length < 126:
        return 2, length
    wide = 2 if length == 126 else 8
    return (2 + wide, int.from_bytes(buffer[2 : 2 + wide])) if len(buffer) >= 2 + wide else None

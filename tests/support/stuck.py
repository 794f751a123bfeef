"""Readers who stop reading and stay."""

import asyncio
import socket
from types import TracebackType
from typing import Self

from websockets.client import ClientProtocol
from websockets.uri import parse_uri


class StuckReader:
    """``async with StuckReader(server.port) as stuck``: a connection with the smallest of receive buffers."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.read = bytearray()

    async def __aenter__(self) -> Self:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.setblocking(False)
        await asyncio.get_running_loop().sock_connect(self._socket, ("127.0.0.1", self._port))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    async def stream(self, path: str, token: str) -> None:
        """Ask for a stream, read its first bytes, and stop."""
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nAuthorization: Bearer {token}\r\n\r\n"
        await self.say(head.encode())
        while b"data: " not in self.read:
            await self.listen()

    async def follow(self, run_id: str, token: str) -> None:
        """Follow a run on a socket, read its first event, and stop."""
        protocol = ClientProtocol(parse_uri(f"ws://127.0.0.1:{self._port}/ws/v1"), subprotocols=["chat.v1"])  # type: ignore[list-item]
        request = protocol.connect()
        request.headers["Authorization"] = f"Bearer {token}"
        protocol.send_request(request)
        await self.say(b"".join(protocol.data_to_send()))
        while b"session.ready" not in self.read:
            await self.listen()
        protocol.receive_data(bytes(self.read))
        frame = f'{{"event":"subscribe","req":1,"data":{{"run_id":"{run_id}"}}}}'.encode()
        protocol.send_text(frame)
        await self.say(b"".join(protocol.data_to_send()))
        while b'"id":1,' not in self.read:
            await self.listen()

    async def say(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def listen(self) -> None:
        async with asyncio.timeout(20):
            data = await asyncio.get_running_loop().sock_recv(self._socket, 4096)
        assert data, f"closed by the server after {bytes(self.read[-300:])!r}"
        self.read += data

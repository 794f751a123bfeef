"""What may stand between a client and the server, and misbehave once a kind of request."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from tests.support.environment import free_port

_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy"
)


class Front:
    """Passes on to ``port``. Of each POST the first answer is lost; with ``refuses`` the first request of each kind is
    answered with 503 instead, and goes no further.
    """

    def __init__(self, port: int, *, refuses: bool = False) -> None:
        self._server_port = port
        self._port = free_port()
        self._refuses = refuses
        self._tasks: set[asyncio.Task[None]] = set()
        self.lost: list[str] = []  # the last words of their paths
        self.refused: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        self._listening = await asyncio.start_server(self._spoilt, "127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _spoilt(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there, back = await asyncio.open_connection("127.0.0.1", self._server_port)
        asked = [""]  # the request that this connection waits for the answer of
        with contextlib.suppress(OSError, asyncio.CancelledError):
            ways = [
                asyncio.create_task(self._up(reader, back, writer, asked)),
                asyncio.create_task(self._down(there, writer, asked)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        writer.close()
        back.close()
        self._tasks.discard(task)

    async def _up(
        self, reader: asyncio.StreamReader, back: asyncio.StreamWriter, writer: asyncio.StreamWriter, asked: list[str]
    ) -> None:
        while data := await reader.read(65_536):
            if data.startswith((b"GET ", b"POST ")):
                method, target = data.split(b" ", 2)[:2]
                asked[0] = f"{method.decode()} {target.decode().partition('?')[0].rpartition('/')[2]}"
                if self._refuses and asked[0] not in self.refused:
                    self.refused.append(asked[0])
                    writer.write(_BUSY)
                    await writer.drain()
                    return
            back.write(data)
            await back.drain()

    async def _down(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: list[str]) -> None:
        while data := await there.read(65_536):
            method, _, name = asked[0].partition(" ")
            if method == "POST" and not self._refuses and name not in self.lost:
                self.lost.append(name)
                writer.transport.abort()  # it was done, and nobody hears of it
                return
            writer.write(data)
            await writer.drain()

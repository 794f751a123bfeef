"""The way between a browser and a server, which can be cut and joined again."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from tests.support.environment import free_port


class Cable:
    """Listens at ``url`` and passes bytes on to ``port``; ``async with Cable(server.port) as cable``."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._port = free_port()
        self._listening: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def join(self) -> None:
        self._listening = await asyncio.start_server(self._passed, "127.0.0.1", self._port)

    async def cut(self) -> None:
        """All connections break, and new ones are refused."""
        assert self._listening is not None
        self._listening.close()
        for writer in self._writers:
            writer.transport.abort()

    async def __aenter__(self) -> Self:
        await self.join()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.cut()

    async def _passed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._server_port)
        ends = {writer, back}
        self._writers |= ends
        await asyncio.gather(_copied(reader, back), _copied(there, writer))
        self._writers -= ends


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()

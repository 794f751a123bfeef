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


class Gateway(Cable):
    """A proxy that does harm: it loses ``lost`` answers to a POST of a run, and says 502 or 504 in their place, though
    the server has them; and where it is ``mute`` it lets a WebSocket begin and nothing through to the browser.
    """

    def __init__(self, port: int, *, lost: int = 0, status: int = 502, mute: bool = False) -> None:
        super().__init__(port)
        self.lost = lost
        self.swallowed = 0
        self._mute = mute
        self._instead = b"HTTP/1.1 %d Lost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status

    async def _passed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._server_port)
        ends = {writer, back}
        self._writers |= ends
        harm = _Harm()
        await asyncio.gather(self._up(reader, back, harm), self._down(there, writer, harm))
        self._writers -= ends

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, harm: "_Harm") -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                head = data.split(b"\r\n", 1)[0]
                harm.loses |= (
                    self.lost > 0 and head.startswith(b"POST ") and b"/runs" in head and b"/cancel" not in head
                )
                harm.mutes |= self._mute and head.startswith(b"GET /ws/")
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, harm: "_Harm") -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if harm.loses:
                    self.lost -= 1
                    writer.write(self._instead)
                    break
                if harm.mutes:
                    data, harm.quiet = (b"" if harm.quiet else data[: data.index(b"\r\n\r\n") + 4]), True
                    self.swallowed += not data
                writer.write(data)
                await writer.drain()
        writer.close()


class _Harm:
    """What is done to one connection."""

    loses = False
    mutes = False
    quiet = False

"""A wire that can be spoilt: a TCP proxy, slow or thin, that cuts, resets, stalls, refuses and forgets connections."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.support.environment import free_port

T = TypeVar("T")
CHUNK = 16 * 1024  # what is on the wire at once; a slow one then feels slow at both of its ends
PATIENCE = 10.0


@dataclass(frozen=True)
class Weather:
    """What becomes of bytes, in both directions. ``latency``: seconds for each chunk; ``bandwidth``: bytes a second;
    ``stalled``: connections are made, and nothing passes.
    """

    latency: float = 0.0
    bandwidth: int | None = None
    stalled: bool = False


FAIR = Weather()


class Wires:
    """Makes proxies, in a thread with an event loop of its own: whatever a test does meanwhile, bytes pass.

    ``with Wires() as wires: proxy = wires.to(port)``. All of them end with it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wires", daemon=True)
        self._proxies: list[FaultProxy] = []

    def to(self, port: int) -> "FaultProxy":
        """A proxy in front of ``port`` of this machine, which need not be there yet; it listens when this returns."""
        proxy = FaultProxy(self, port)
        self._proxies.append(proxy)
        proxy.accept()
        return proxy

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        done: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return done.result(PATIENCE)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for proxy in self._proxies:
            proxy.refuse()
            proxy.reset()
        self.do(self._settled())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    async def _settled(self) -> None:
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)


class FaultProxy:
    """Listens on ``port`` as long as it is not told to refuse. Every method may be called from any thread, and has done
    what it says when it comes back.
    """

    def __init__(self, wires: Wires, target: int) -> None:
        self.port = free_port()
        self.target = target  # connections made from now on go there
        self.accepted = 0
        self._wires = wires
        self._weather = FAIR
        self._links: set[_Link] = set()
        self._listening: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        """Connections that are forwarded."""
        return len(self._links)

    @property
    def weather(self) -> Weather:
        return self._weather

    @weather.setter
    def weather(self, weather: Weather) -> None:
        """For connections that stand as for new ones."""
        self._wires.do(self._change(weather))

    def cut(self) -> None:
        """End all connections as a program does that closes them: FIN, after what has passed already."""
        self._wires.do(self._on_each("cut"))

    def reset(self) -> None:
        """End all connections at once: RST at both ends."""
        self._wires.do(self._on_each("reset"))

    def forget(self) -> None:
        """Half-open: nothing passes any more on the connections that stand, and neither end is told, ever."""
        self._wires.do(self._on_each("forget"))

    def refuse(self) -> None:
        """Take no new connections; those that stand go on."""
        self._wires.do(self._refuse())

    def accept(self) -> None:
        self._wires.do(self._accept())

    def heal(self) -> None:
        """Fair weather, and new connections are taken again."""
        self.weather = FAIR
        self.accept()

    async def _change(self, weather: Weather) -> None:
        self._weather = weather
        for link in self._links:
            link.weather_changed(weather)

    async def _on_each(self, what: str) -> None:
        for link in list(self._links):
            getattr(link, what)()
        await asyncio.sleep(0)

    async def _accept(self) -> None:
        if self._listening is None:
            self._listening = await asyncio.start_server(self._joined, "127.0.0.1", self.port, backlog=1024)

    async def _refuse(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target, limit=CHUNK)
        except OSError:
            _abort(writer)
            return
        link = _Link((reader, writer), (there, back), self._weather)
        self._links.add(link)
        # Cancelled with the loop; asyncio would complain of it for each of them.
        with contextlib.suppress(asyncio.CancelledError):
            await link.carry()
        self._links.discard(link)


class _Link:
    """One connection through the proxy."""

    def __init__(
        self,
        near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        weather: Weather,
    ) -> None:
        self._ends = (near, far)
        self._passing = asyncio.Event()
        self._forgotten = False
        for _, writer in self._ends:
            writer.transport.set_write_buffer_limits(high=CHUNK)
        self.weather_changed(weather)

    def weather_changed(self, weather: Weather) -> None:
        self._weather = weather
        if weather.stalled or self._forgotten:
            self._passing.clear()
        else:
            self._passing.set()

    def cut(self) -> None:
        for _, writer in self._ends:
            writer.close()

    def reset(self) -> None:
        for _, writer in self._ends:
            _abort(writer)
        self._passing.set()  # whoever waits to pass on finds that there is nobody

    def forget(self) -> None:
        self._forgotten = True
        self._passing.clear()

    async def carry(self) -> None:
        (near, to_near), (far, to_far) = self._ends
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(near, to_far))
                both.create_task(self._pump(far, to_near))
        except* OSError:
            self.reset()
        finally:
            for _, writer in self._ends:
                writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            if wait := self._weather.latency:
                await asyncio.sleep(wait)
            if width := self._weather.bandwidth:
                await asyncio.sleep(len(data) / width)
            await self._passing.wait()
            writer.write(data)
            await writer.drain()
        await self._passing.wait()
        with contextlib.suppress(OSError):
            writer.write_eof()


def _abort(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()

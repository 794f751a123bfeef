"""Others who ask much of a server while somebody reads an answer: each goes on until it is cancelled.

They are other people than those whose answers are watched.
"""

import asyncio
import json
import socket
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from tests.bench.dialects import ChatStream, get, opened_socket
from tests.bench.systems import System
from tests.bench.wires import HttpWire, frame
from tests.bench.words import sent_at

HUGE = "20000@max"
SLOW_READERS = 10
_SIP = 1024  # bytes a second
_SERVED_WITHIN = 30.0
_A_PERSON = 10  # connections; so each has one answer of their own


async def huge_answers(system: System, tokens: Sequence[str]) -> None:
    """One after the other, as fast as the server takes them from the model server and gives them out."""
    while True:
        dialect = ChatStream(system.port, tokens=tokens)
        await dialect.prepare(1)
        wire = await dialect.ask(0, HUGE)
        await wire.ended
        answer = "".join(text for _, text in dialect.texts(wire))
        assert sent_at(answer, tokens=20_000) is not None, "the huge answer was not whole"
        dialect.close()


async def slow_readers(system: System, tokens: Sequence[str]) -> None:
    """Readers of huge answers that take a kibibyte a second; who is cut off comes again."""
    dialect = ChatStream(system.port, tokens=tokens)
    await dialect.prepare(SLOW_READERS)
    requests = [dialect.request(number, HUGE) for number in range(SLOW_READERS)]
    await asyncio.gather(*(_sip(system.port, request) for request in requests))


async def _sip(port: int, request: bytes) -> None:
    loop = asyncio.get_running_loop()
    while True:
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # or the kernel reads in our stead
            connection.setblocking(False)
            await loop.sock_connect(connection, ("127.0.0.1", port))
            await loop.sock_sendall(connection, request)
            with suppress(OSError):
                while await loop.sock_recv(connection, _SIP):
                    await asyncio.sleep(1.0)
        await asyncio.sleep(1.0)


@dataclass
class Storm:
    """So many connections a second, for ``lasts`` seconds, whether those before have been served or not: every other
    one a socket that subscribes, the rest streams; all come back to an answer of their own that has ended.
    """

    a_second: int = 500
    lasts: float = 10.0
    runs: list[str] = field(default_factory=list)  # one of each person, ended
    served: list[float] = field(default_factory=list)  # seconds, each
    faults: Counter[str] = field(default_factory=Counter)

    async def prepare(self, system: System, tokens: Sequence[str]) -> None:
        dialect = ChatStream(system.port, tokens=tokens)
        await dialect.prepare(len(tokens), readers=_A_PERSON)
        for number in range(len(tokens)):
            wire = await dialect.ask(number, "5@max")
            await wire.ended
            self.runs.append((await dialect.address(number)).split("/")[-2])
        dialect.close()

    async def rage(self, system: System, tokens: Sequence[str]) -> None:
        began = time.monotonic()
        coming = []
        for number in range(int(self.a_second * self.lasts)):
            await asyncio.sleep(began + number / self.a_second - time.monotonic())
            person = number % len(self.runs)
            coming.append(asyncio.create_task(self._come(system.port, tokens[person], self.runs[person], number)))
        await asyncio.gather(*coming)

    async def _come(self, port: int, token: str, run: str, number: int) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(_SERVED_WITHIN):
                await (_resume_on_socket if number % 2 else _resume_stream)(port, token, run)
        except (OSError, ValueError, TimeoutError) as fault:
            self.faults[f"{type(fault).__name__}: {str(fault)[:80]}"] += 1
        else:
            self.served.append(time.monotonic() - began)


async def _resume_on_socket(port: int, token: str, run: str) -> None:
    wire = await opened_socket(port, token=token)
    try:
        data = {"run_id": run, "after": 3}
        wire.ask(frame(json.dumps({"event": "subscribe", "req": "again", "data": data}).encode()))
        await wire.reply()
        await wire.ended
    finally:
        wire.close()


async def _resume_stream(port: int, token: str, run: str) -> None:
    _, wire = await asyncio.get_running_loop().create_connection(HttpWire, "127.0.0.1", port)
    try:
        wire.ask(get(port, f"/api/v1/runs/{run}/events?after=3", token=token))
        await wire.ended
        if b"thread.run.completed" not in b"".join(data for _, data in wire.body()):
            raise ValueError("it ended early")
    finally:
        wire.close()

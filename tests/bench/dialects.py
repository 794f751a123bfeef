"""How each system is asked, and what of its answer is text: the direct path, the bare relay, chat.v1 on both ways."""

import asyncio
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
import msgspec

from tests.bench.wires import HttpWire, Piece, SocketWire, Wire, frame

_decode = msgspec.json.Decoder().decode
QUESTION = "Say something, please. This is question {number}."
STREAMS_A_PERSON = 10
_OPENING = 50  # sockets that are opened at a time


class Dialect(Protocol):
    port: int

    async def prepare(self, streams: int, *, readers: int = 1) -> None:
        """Make what has to be there before the clock runs, for so many answers and so many readers of each."""
        ...

    async def ask(self, number: int, model: str) -> Wire:
        """Ask question ``number``; returns as soon as it is asked."""
        ...

    async def follow(self, number: int) -> Wire:
        """Read the answer to question ``number`` once more, from its beginning, over a connection of its own."""
        ...

    def texts(self, wire: Wire) -> Iterator[tuple[float, str]]:
        """The pieces of an answer, with their times. Raises ValueError where the answer is not sound."""
        ...

    def close(self) -> None: ...


@dataclass
class _Http:
    port: int
    wires: list[Wire] = field(default_factory=list)

    async def prepare(self, streams: int, *, readers: int = 1) -> None:
        assert readers == 1, "it has one reader"

    async def ask(self, number: int, model: str) -> Wire:
        return await self._requested(self.request(number, model))

    async def follow(self, number: int) -> Wire:
        raise NotImplementedError

    async def _requested(self, request: bytes) -> HttpWire:
        _, wire = await asyncio.get_running_loop().create_connection(HttpWire, "127.0.0.1", self.port)
        wire.ask(request)
        self.wires.append(wire)
        return wire

    def close(self) -> None:
        for wire in self.wires:
            wire.close()
        self.wires.clear()

    def request(self, number: int, model: str) -> bytes:
        body = json.dumps(self._body(number, model)).encode()
        lines = [
            f"POST {self._path(number)} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            *("Accept: text/event-stream", "Content-Type: application/json", "Connection: close"),
            *(f"{name}: {value}" for name, value in self._headers(number).items()),
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def _path(self, number: int) -> str:
        return "/api/chat"

    def _headers(self, number: int) -> dict[str, str]:
        return {}

    def _body(self, number: int, model: str) -> dict[str, Any]:
        return {"model": model, "messages": [{"role": "user", "content": QUESTION.format(number=number)}]}


class Direct(_Http):
    """The model server itself."""

    def texts(self, wire: Wire) -> Iterator[tuple[float, str]]:
        for at, line in lines_of(wire.body()):
            yield at, _decode(line)["message"]["content"]


class Relay(_Http):
    """The bare relay: ``data: {"t": text}``."""

    def texts(self, wire: Wire) -> Iterator[tuple[float, str]]:
        for at, line in lines_of(wire.body()):
            if line.startswith(b"data: "):
                yield at, _decode(line[6:])["t"]


@dataclass
class ChatStream(_Http):
    """chat.v1: a question is posted to a thread of its own, and its answer is the response, as SSE.

    ``tokens`` are shared out among the streams: a person may have twelve at once.
    """

    tokens: Sequence[str] = ()
    threads: list[str] = field(default_factory=list)
    a_person: int = STREAMS_A_PERSON
    asked: dict[int, HttpWire] = field(default_factory=dict)

    async def prepare(self, streams: int, *, readers: int = 1) -> None:
        self.a_person = max(1, STREAMS_A_PERSON // readers)
        self.threads = await threads_of(self.port, [self._token(number) for number in range(streams)])

    async def ask(self, number: int, model: str) -> Wire:
        self.asked[number] = await self._requested(self.request(number, model))
        return self.asked[number]

    async def follow(self, number: int) -> Wire:
        path = await self.address(number)
        return await self._requested(get(self.port, f"{path}?after=0&snapshot=0", token=self._token(number)))

    async def address(self, number: int) -> str:
        """Where the events of the answer to question ``number`` are read. Raises ValueError where there are none."""
        head = await self.asked[number].head()
        address = re.search(rb"(?im)^location: (\S+?/runs/[^/\s]+/events)", head)
        if address is None:
            raise ValueError(f"answered {head[:200]!r}")
        return urlsplit(address[1].decode()).path

    def _token(self, number: int) -> str:
        return self.tokens[number // self.a_person % len(self.tokens)]

    def _path(self, number: int) -> str:
        return f"/api/v1/threads/{self.threads[number]}/runs"

    def _headers(self, number: int) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token(number)}"}

    def _body(self, number: int, model: str) -> dict[str, Any]:
        return {"content": QUESTION.format(number=number), "model": f"ollama/{model}"}

    def texts(self, wire: Wire) -> Iterator[tuple[float, str]]:
        lines = ((at, line[6:]) for at, line in lines_of(wire.body()) if line.startswith(b"data: "))
        yield from _answer(lines)


@dataclass
class ChatSocket:
    """chat.v1 over a WebSocket for each stream."""

    port: int
    tokens: Sequence[str] = ()
    threads: list[str] = field(default_factory=list)
    wires: list[SocketWire] = field(default_factory=list)
    a_person: int = STREAMS_A_PERSON

    async def prepare(self, streams: int, *, readers: int = 1) -> None:
        self.a_person = max(1, STREAMS_A_PERSON // readers)
        self.threads = await threads_of(self.port, [self._token(number) for number in range(streams)])
        await self.connect(streams)

    async def connect(self, sockets: int) -> None:
        """Open so many, a bounded number at a time, each signed in by a token."""
        for first in range(0, sockets, _OPENING):
            opening = [self._open(number) for number in range(first, min(first + _OPENING, sockets))]
            self.wires += await asyncio.gather(*opening)

    async def _open(self, number: int) -> SocketWire:
        return await opened_socket(self.port, token=self._token(number))

    def _token(self, number: int) -> str:
        return self.tokens[number // self.a_person % len(self.tokens)]

    async def ask(self, number: int, model: str) -> Wire:
        question = {
            "thread_id": self.threads[number],
            "content": QUESTION.format(number=number),
            "model": f"ollama/{model}",
            "subscribe": True,
        }
        sent = {"event": "message.send", "req": str(number), "data": question}
        self.wires[number].ask(frame(json.dumps(sent).encode()))
        return self.wires[number]

    async def follow(self, number: int) -> Wire:
        acknowledged = await self.wires[number].reply()
        wire = await self._open(number)
        self.wires.append(wire)
        data = {"run_id": acknowledged["run_id"], "after": 0, "snapshot": False}
        wire.ask(frame(json.dumps({"event": "subscribe", "req": "follow", "data": data}).encode()))
        return wire

    def texts(self, wire: Wire) -> Iterator[tuple[float, str]]:
        yield from _answer(wire.body())

    def close(self) -> None:
        for wire in self.wires:
            wire.close()
        self.wires.clear()


def _answer(events: Iterable[Piece]) -> Iterator[tuple[float, str]]:
    """The deltas of one run. Its numbers must be without a hole, and its last event its completion."""
    number, name = 0, ""
    for at, text in events:
        event = _decode(text)
        if event.get("id") is None:
            continue
        if event["id"] != number + 1:
            raise ValueError(f"event {event['id']} after event {number}")
        number, name = event["id"], event["event"]
        if name == "thread.message.delta":
            yield at, event["data"]["content"]
    if name != "thread.run.completed":
        raise ValueError(f"it ended with {name or 'nothing'}")


def lines_of(pieces: Iterable[Piece]) -> Iterator[Piece]:
    rest = b""
    for at, data in pieces:
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if line:
                yield at, line


def get(port: int, path: str, *, token: str) -> bytes:
    """A request for a stream of events."""
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"Authorization: Bearer {token}",
        *("Accept: text/event-stream", "Connection: close"),
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def opened_socket(port: int, *, token: str, kind: type[SocketWire] = SocketWire) -> SocketWire:
    """A WebSocket that the server has let in."""
    loop = asyncio.get_running_loop()
    _, wire = await loop.create_connection(lambda: kind(last=b'"event":"thread.run.completed"'), "127.0.0.1", port)
    wire.knock(host=f"127.0.0.1:{port}", token=token)
    async with asyncio.timeout(30):
        await wire.opened
    return wire


async def threads_of(port: int, tokens: Iterable[str]) -> list[str]:
    """A new thread for each of these, as whose it is."""
    url = f"http://127.0.0.1:{port}/api/v1/threads"
    async with httpx.AsyncClient(trust_env=False, timeout=30, verify=False) as client:
        made = []
        for token in tokens:
            answer = await client.post(url, json={}, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 201, answer.text
            made.append(answer.json()["id"])
        return made
